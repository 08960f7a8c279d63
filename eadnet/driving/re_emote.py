"""An existing video with another expression: its own head, eyes and, if wanted, lips are kept."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..errors import InputError
from ..fingerprints import fingerprint
from ..media.lengths import Length
from ..media.places import Place
from ..media.reader import Pictures
from ..media.resumable_video import writer_identity
from ..media.sound import Sound
from ..rendering import OnProgress, RenderedFile, StageProgress
from ..rendering.estimate import estimate_film
from ..rendering.film import Film, announce, file_place, write_film
from ..rig.track import Track
from ..rig.video_rig import VideoRig
from .following import FollowedFace

VERSION = 3
_RIGS = 3  # of the last shots; a shot's takes a second to make, and a video that bounces returns to it


class ReEmote:
    """The frames of a video, each with a row of a track added to the face that it shows."""

    def __init__(
        self,
        pictures: Pictures,
        face: FollowedFace,
        track: Track,
        *,
        replace_lips: bool = False,
        length: Length | None = None,
    ) -> None:
        """A frame of the result is one of the source's, by ``length`` (None: all, in order), with the row of
        the track at the same time. ``replace_lips``: the track's mouth takes the place of the person's own.

        Raises InputError for a track without rows.
        """
        self.length = length or Length(len(face), len(face), "hold")
        track = track.resampled(float(pictures.fps)).fitted(self.length.frames)
        if len(track) != self.length.frames:
            raise InputError("The expression has no frames: connect one that has.")
        self.pictures, self.face, self.track, self.replace_lips = pictures, face, track, replace_lips
        self._rigs: dict[int, VideoRig | None] = {}

    def __len__(self) -> int:
        return self.length.frames

    def notes(self) -> list[str]:
        """What the user should know, a sentence each."""
        missing = int((~self.face.seen).sum())
        if not missing:
            return []
        return [f"In {missing} of {len(self.face)} frames no face was found: they stay as they are."]

    def frames(self, first: int = 0) -> Iterator[np.ndarray]:
        """The frames uint8 [H, W, 3] from number ``first`` on; those without a face untouched."""
        for number in range(first, len(self)):
            yield self.frame(number)

    def frame(self, number: int) -> np.ndarray:
        """One of the frames, uint8 [H, W, 3]."""
        source = self.length.at(number)
        picture = self.pictures.picture(source)
        face = self.face.face(source)
        rig = None if face is None else self._rig(self.face.shot(source))
        if face is None or rig is None:
            return picture
        moved = rig.apply(
            torch.from_numpy(np.array(picture[..., :3])),
            torch.from_numpy(face.points),
            self.track.values[number],
            face.blendshapes,
            replace_lips=self.replace_lips,
            share=self.face.share(source),
        )
        return np.ascontiguousarray(moved.numpy())

    def _rig(self, shot: int) -> VideoRig | None:
        if shot not in self._rigs:
            while len(self._rigs) >= _RIGS:
                self._rigs.pop(next(iter(self._rigs)))
            calm = self.face.calm[shot]
            assert calm is not None  # a frame of this shot shows the face
            self._rigs[shot] = self._made(calm)
        return self._rigs[shot]

    def _made(self, calm: int) -> VideoRig | None:
        face = self.face.raw(calm)
        picture = torch.from_numpy(np.array(self.pictures.picture(calm)[..., :3]))
        try:
            return VideoRig.build(picture, torch.from_numpy(face.points), face.blendshapes)
        except InputError:  # points that are no face: the shot stays as it is
            return None


def re_emote_to_file(
    place: str | os.PathLike[str] | Place,
    film: ReEmote,
    identity: tuple[Any, ...],
    sound: Sound | None = None,
    *,
    seconds: float | None = None,
    quality: int = 16,
    resume: bool = False,
    unfinished: Path | None = None,
    on_progress: OnProgress | None = None,
    check: Callable[[], object] = lambda: None,
) -> RenderedFile:
    """Render into an MP4 file, in memory that does not grow with its length.

    ``identity`` changes with the video and with what looked for its face; ``seconds`` is where the sound
    ends (None: its own end). For the rest see `eadnet.rendering.render_to_file`.
    """
    place = file_place(place)
    announce(estimate_film(len(film), film.pictures.size, film.pictures.fps), place.folder)
    started = time.monotonic()

    def frames_from(first: int, window: int) -> Iterator[np.ndarray]:
        for done, frame in enumerate(film.frames(first), first + 1):
            yield frame
            if on_progress:
                left = (time.monotonic() - started) / (done - first) * (len(film) - done)
                on_progress(StageProgress("render", done, len(film), left))

    key = fingerprint(
        f"re-emote {VERSION}",
        identity,
        film.track.values,
        film.length,
        film.replace_lips,
        sound,
        writer_identity(quality),
        __version__,
    )
    written = Film(
        key=key,
        frames=len(film),
        fps=film.pictures.fps,
        size=film.pictures.size,
        sound=sound,
        seconds=seconds,
        quality=quality,
    )
    return write_film(
        place,
        written,
        frames_from,
        1,
        1,
        resume=resume,
        unfinished=unfinished,
        on_progress=on_progress,
        check=check,
    )
