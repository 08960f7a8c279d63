"""The face landmarker: 478 points of every face in a picture, with depth, and its 52 blend shapes.

MediaPipe's published networks and its way from a picture to points (task `face_landmarker`, mode IMAGE), in
PyTorch: on any device, many frames at a time, without the mediapipe package.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from zipfile import is_zipfile

import numpy as np
import torch
from torch import Tensor, nn

from ..checkpoints import load_checkpoint, read_info
from ..errors import CheckpointError
from ..finite import check_result
from ..landmarker_task import GRAPHS, build_networks
from ..modules.blazeface import BlazeFace
from ..modules.blendshape_mixer import BLENDSHAPES, BlendshapeMixer
from ..modules.face_mesh import SIDE, FaceMesh
from ..published import check_impostors, detect
from .short_range import find_faces, right_way_up, search_faces
from .windows import cut, in_picture, is_usable, window_around, window_of_points

# The usual names, then others; `eadnet convert` makes the .safetensors of a .task.
FILES = (
    "face_landmarker.task",
    "face_landmarker_v2_with_blendshapes.task",
    "face_landmarker*.task",
    "face_landmarker.safetensors",
)
PRESENT = 0.5  # the mesh's own score must be higher than this
_TOGETHER = 8  # frames that go through the networks at once


@dataclass(frozen=True, eq=False)
class LandmarkedFace:
    """One face in one frame.

    points: [478, 3] float32, x and y in pixels, (0, 0) at the centre of the first one; depth in pixels of the
        same size, 0 near the middle of the head, less towards the camera.
    score: how sure the mesh is that this is a face, 0..1.
    blendshapes: ARKit's 52 by name, 0..1; empty where they were not requested.
    """

    points: np.ndarray
    score: float = 1.0
    blendshapes: dict[str, float] = field(default_factory=dict)

    @property
    def mesh(self) -> np.ndarray:
        """[478, 2]: the points without depth."""
        return self.points[:, :2]


class FaceLandmarker:
    """Finds up to ``most`` faces in a frame."""

    def __init__(
        self,
        file: str | os.PathLike[str],
        most: int = 1,
        min_score: float = 0.5,
        blendshapes: bool = False,
        search: bool = False,
        upright: bool = False,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """``file``: MediaPipe's `face_landmarker.task`, or what `eadnet convert` made of it. ``search``: look
        for small faces and those that stand on their heads, too, where no sure one is seen at first, which
        MediaPipe does not. ``upright``: of those that are seen, only look whether they stand on their heads.

        Raises CheckpointError for a missing, damaged or foreign file.
        """
        self.most, self.min_score, self.search, self.upright = most, min_score, search, upright
        self.device = torch.device(device)
        networks = load_networks(file, dtype)
        self._detector = cast(BlazeFace, self._placed(networks["detector"]))
        self._mesh = cast(FaceMesh, self._placed(networks["mesh"]))
        self._mixer = cast(BlendshapeMixer, networks["blendshapes"].to(device)) if blendshapes else None

    def _placed(self, network: nn.Module) -> nn.Module:
        # Channels last: faster on processors and GPUs alike. (Its overload is not in torch's annotations.)
        return network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def detect(self, frame: np.ndarray | Tensor) -> list[LandmarkedFace]:
        """The faces of a frame [H, W, 3 or 4], RGB; best first; an empty list where there is none.

        Frames are uint8, or floating point in [0, 1]; transparency is not looked at.
        """
        return self.detect_all(frame[None])[0]

    def detect_all(self, frames: np.ndarray | Tensor) -> list[list[LandmarkedFace]]:
        """The faces of each of the frames [n, H, W, 3 or 4], each looked at for itself."""
        pictures = self._pixels(frames)
        found: list[list[LandmarkedFace]] = []
        for part in pictures.split(_TOGETHER):
            detections = find_faces(self._detector, part, self.min_score)
            if self.search or self.upright:
                look = search_faces if self.search else right_way_up
                detections = [
                    look(self._detector, picture, self.min_score, faces)
                    for picture, faces in zip(part, detections, strict=True)
                ]
            windows = [
                [window_around(face[:4], face[4:6], face[6:8]) for face in faces[: self.most]]
                for faces in detections
            ]
            found += self._landmarks(part, windows)
        return found

    def follow(self, frames: Iterable[np.ndarray | Tensor]) -> Iterator[LandmarkedFace | None]:
        """One face through a video: it is looked for where the frame before showed it, else everywhere.

        Gives a face or None for each of the frames [H, W, 3 or 4]. Steadier than `detect`, and without the
        detector's share of the time. Nothing is smoothed.
        """
        face: LandmarkedFace | None = None
        for frame in frames:
            if face is not None:
                face = self.again(frame, face)
            if face is None:
                face = next(iter(self.detect_all(frame[None])[0]), None)
            yield face

    def again(self, frame: np.ndarray | Tensor, face: LandmarkedFace) -> LandmarkedFace | None:
        """A face of the frame before, looked for in this one [H, W, 3 or 4] where it was; None where it is
        not.
        """
        window = window_of_points(face.points + 0.5)
        return next(iter(self._landmarks(self._pixels(frame[None]), [[window]])[0]), None)

    def _pixels(self, frames: np.ndarray | Tensor) -> Tensor:
        if isinstance(frames, np.ndarray):
            frames = np.ascontiguousarray(frames)
            if not frames.flags.writeable:  # torch warns of memory that it could change and must not
                frames = frames.copy()
        pixels = torch.as_tensor(frames).to(self.device)[..., :3]
        if pixels.is_floating_point():
            pixels = pixels.clamp(0, 1).mul(255).round()
        return pixels.to(torch.uint8)

    @torch.inference_mode()
    def _landmarks(
        self, pictures: Tensor, windows: Sequence[Sequence[np.ndarray]]
    ) -> list[list[LandmarkedFace]]:
        """The faces that the windows of each picture [n, H, W, 3] show."""
        places = [
            (number, window) for number, own in enumerate(windows) for window in own if is_usable(window)
        ]
        found: list[list[LandmarkedFace]] = [[] for _ in windows]
        for start in range(0, len(places), _TOGETHER):
            part = places[start : start + _TOGETHER]
            crops = torch.stack([cut(pictures[number], window, SIDE) for number, window in part])
            weight = self._mesh.first.weight
            crops = crops.div_(255).to(weight.dtype, memory_format=torch.channels_last)
            points, scores = self._mesh(crops)
            shares = points.cpu().double().numpy() / SIDE
            placed = [in_picture(face, window) for face, (_, window) in zip(shares, part, strict=True)]
            shapes = self._blendshapes(np.stack(placed))
            for (number, _), face, score, shape in zip(part, placed, scores.tolist(), shapes, strict=True):
                if score > PRESENT and np.isfinite(face).all():
                    points_in_pixels = (face - [0.5, 0.5, 0.0]).astype(np.float32)
                    found[number].append(LandmarkedFace(points_in_pixels, score, shape))
        return found

    def _blendshapes(self, faces: np.ndarray) -> list[dict[str, float]]:
        """Those of meshes [k, 478, 3] in pixels."""
        if self._mixer is None:
            return [{} for _ in faces]
        weights = self._mixer(torch.from_numpy(faces[..., :2]).float().to(self.device))
        seen = torch.from_numpy(np.isfinite(faces).all((1, 2))).to(weights.device)
        check_result(weights[seen], "network for blend shapes", "download the face landmarker again")
        return [dict(zip(BLENDSHAPES, row, strict=True)) for row in weights.float().cpu().tolist()]


def load_networks(file: str | os.PathLike[str], dtype: torch.dtype = torch.float32) -> dict[str, nn.Module]:
    """The landmarker's networks "detector", "mesh" and "blendshapes", on the CPU.

    A `.task` is converted in memory, which takes about as long as reading what `eadnet convert` makes of it:
    nothing is written beside a file that was only to be read. Raises CheckpointError.
    """
    path = Path(file)
    if not path.is_file():
        raise CheckpointError(missing(path))
    if path.suffix != ".safetensors":
        check_impostors(path)
        if not is_zipfile(path):
            raise CheckpointError(
                f"{path.name} is no face landmarker, or it is damaged: choose face_landmarker.task, or "
                "download it again."
            )
        published = detect(path)
        if published.kind != "face_landmarker":
            raise CheckpointError(f"{path.name} is a {published.kind} file: choose face_landmarker.task.")
        return build_networks(published.tensors, dtype)
    if read_info(path)["components"].keys() != GRAPHS.keys():
        raise CheckpointError(f"{path.name} is no face landmarker: choose face_landmarker.task.")
    return load_checkpoint(path, dtype=dtype).components


def missing(path: Path) -> str:
    """The sentence for a landmarker's file that is not there."""
    return (
        f"The face landmarker's file {path.name} is missing: run 'eadnet fetch faces', or download "
        f"face_landmarker.task, and put it into {path.parent}."
    )


def blendshapes(frames: Iterable[np.ndarray], file: str | os.PathLike[str]) -> list[dict[str, float] | None]:
    """ARKit's 52 blend shapes 0..1 of the best face in every frame uint8 [H, W, 3]; None without a face.

    Raises CheckpointError without a usable file.
    """
    landmarker = FaceLandmarker(file, blendshapes=True)
    found = (landmarker.detect(frame) for frame in frames)
    return [faces[0].blendshapes if faces else None for faces in found]
