"""A video that is scored: its frames, and its face as each network was trained to see it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..faces.crops import centre_square
from ..faces.face import FaceDetector
from ..faces.face_track import FaceTrack
from ..faces.landmarker import FaceLandmarker
from ..faces.tracking import detect_faces, track_face
from ..media.clips import Frames, LazyFrames, changed, picked, pieces, video_frames
from ..media.reader import VideoReader
from ..metrics.face_crops import ROOMY, TIGHT, face_crops, in_frame, square_track, syncnet_track
from ..metrics.pairs import as_floats

# Without a detector: where the face is in the centred square of a frame, as shares: left, top, right, bottom.
FACE_BOX = (0.12, 0.16, 0.88, 0.96)
FEWEST_SEEN = 0.5


class Subject:
    """Frames are read on access; close it, or use it in a ``with`` statement.

    Args:
        path: of the video.
        detector: finds its face; None takes the centred square for one.

    Raises:
        InputError: an unreadable file, or no face in half of the frames.
    """

    def __init__(self, path: Path, detector: FaceDetector | None) -> None:
        self.pictures = VideoReader(path)
        self.frames: Frames = video_frames(self.pictures)
        self.fps = float(self.pictures.fps)
        self.notes: list[str] = []
        self._track: FaceTrack | None = None
        if detector is None:
            return
        try:
            count = self.pictures.count
            detections = detect_faces((self.pictures.picture(n) for n in range(count)), detector)
            if not detections.tracks:
                raise InputError(f"No face was found in any of the {count} frames.")
            self._track = track_face(detections, "portrait", 128)
            gone = self._track.missing()
            if len(gone) > (1 - FEWEST_SEEN) * count:
                raise InputError(f"A face is seen in {count - len(gone)} of the {count} frames only.")
        except InputError:
            self.close()
            raise
        if gone:
            self.notes.append(f"No face in {len(gone)} of {count} frames, the first of them {gone[0]}.")

    def __enter__(self) -> Subject:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.pictures.close()

    def seen_by(self, network: str) -> LazyFrames:
        """The face, cropped for the SyncNet of this name."""
        if self._track is None:
            return changed(self.frames, centre_square)
        return face_crops(self.frames, syncnet_track(self._track, network))

    def tight(self) -> LazyFrames:
        """The face alone, cropped for landmark and expression networks."""
        if self._track is None:
            return changed(self.frames, _tight)
        return face_crops(self.frames, square_track(self._track, TIGHT))

    def tight_where_seen(self) -> LazyFrames:
        """The same without the frames that have no face."""
        if self._track is None:
            return self.tight()
        return picked(self.tight(), torch.nonzero(self._track.valid)[:, 0].tolist())

    def points(self, landmarks: Any) -> Tensor:
        """Landmarks [T, P, 2] in one unit for the whole clip; NaN in frames without a face."""
        points = torch.cat([landmarks(as_floats(piece)) for piece in pieces(self.tight())])
        return points if self._track is None else in_frame(points, square_track(self._track, TIGHT))

    def dense_points(self, landmarker: FaceLandmarker) -> Tensor:
        """The mesh [T, 478, 2] in pixels of the frame, of the face that was tracked, or else of the most
        likely one; NaN where none is seen.
        """
        track = None if self._track is None else square_track(self._track, ROOMY)
        shown = self.frames if track is None else face_crops(self.frames, track)
        singly = (frame.movedim(0, -1) for piece in pieces(shown) for frame in piece)
        unseen = torch.full((478, 2), torch.nan)
        points = torch.stack(
            [unseen if face is None else torch.from_numpy(face.mesh) for face in landmarker.follow(singly)]
        )
        if track is None:
            return points
        return in_frame((points + 0.5) / track.resolution, track)


def _tight(frames: Tensor) -> Tensor:
    square = centre_square(frames)
    side = square.shape[-1]
    left, top, right, bottom = (round(share * side) for share in FACE_BOX)
    return square[..., top : max(top + 1, bottom), left : max(left + 1, right)]
