"""What the parts share: renders that can begin, kept frames, and who reads them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eadnet.media.audio import load_audio
from eadnet.modules.parameter_regressors import ParameterRegressor
from eadnet.rendering import Model, RenderSettings, open_scene
from experiments.paths import ASSETS
from experiments.seams import speakers
from experiments.seams.changes import FPS, PERIOD
from experiments.seams.kept_frames import KeptFrames, OpenRender

SECONDS = 65

Stretch = tuple[int, int]


def repeated_speech(seconds: float) -> tuple[Tensor, int]:
    """The bundled recording again and again, [S], and its rate."""
    waveform, rate = load_audio(ASSETS / "speech.wav")
    count = round(seconds * rate)
    once = torch.zeros(PERIOD * rate // FPS)
    once[: waveform.shape[1]] = waveform[0, : len(once)]
    return once.repeat(-(-count // len(once)))[:count], rate


@contextmanager
def opened(
    waveform: Tensor,
    rate: int,
    model: Model,
    *,
    portrait: np.ndarray | None = None,
    text: str = "happy",
    **settings: Any,
) -> Iterator[OpenRender]:
    """A render of a waveform [S] by a portrait uint8 [S, S, 3], the bundled one if None."""
    from PIL import Image
    from scipy.io import wavfile

    with tempfile.TemporaryDirectory() as folder:
        path, picture = Path(folder) / "a.wav", ASSETS / "portrait.png"
        wavfile.write(path, rate, waveform.numpy())
        if portrait is not None:
            picture = Path(folder) / "portrait.png"
            Image.fromarray(portrait).save(picture)
        how = RenderSettings(**settings)
        with open_scene(model, path, text, portrait=picture, settings=how) as scene:
            sampling = how.sampling(model.checkpoint)
            yield OpenRender(model.networks(), scene, sampling, how.smoothing)


@dataclass
class Bench:
    """What the parts share.

    ``work`` holds everything that was made; ``most`` frames may still be rendered (None: all); ``data`` are
    the clips for the regressor, if any.
    """

    model: Model
    steps: int | None
    work: Path
    data: Path | None
    most: int | None = None
    stretches: tuple[Stretch, ...] = ((0, SECONDS * FPS),)
    turns: int = 12
    people: int = 2
    regressor_steps: int = 1500

    @property
    def size(self) -> int:
        return self.model.checkpoint.resolution

    def kept(self, **settings: object) -> KeptFrames:
        """Kept frames of this model, these settings and the bundled portrait and speech."""
        m = self.model
        networks = (m.unet, m.vae, m.audio_encoder, m.text_encoder, m.tfrm)
        bundled = [(ASSETS / name).read_bytes() for name in ("portrait.png", "speech.wav")]
        given = [self.steps, settings, m.checkpoint.defaults, *bundled]
        return KeptFrames(self.work / "kept", networks, given, self.size, self.most)

    def used(self, kept: KeptFrames) -> None:
        """What ``kept`` rendered counts."""
        self.most = kept.left

    def regressor(self, data: Path) -> tuple[ParameterRegressor, float]:
        """The regressor, trained once on ``data``, and its R² on other people's true pictures."""
        folder = self.work / f"regressor_{self.regressor_steps}"
        return speakers.train_regressor(data / "train", data / "validation", folder, self.regressor_steps)
