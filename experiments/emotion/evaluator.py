"""A model, the regressor that reads its faces, and the held-out people and recordings it is measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from eadnet.dataset_format import FPS, SAMPLE_RATE
from eadnet.modules.parameter_regressors import PairedParameterRegressor
from eadnet.synthetic import expression as world
from eadnet.training.data.clips import ClipSet
from eadnet.training.data.images import to_model_range
from experiments.clip_renderer import ClipRenderer
from experiments.readings import NAMES

REGIONS: dict[str, tuple[str, ...]] = {
    "brows": ("inner_brow_up", "outer_brow_up", "brow_lower"),
    "eyes": ("upper_lid_raise", "lid_tighten", "blink"),
    "cheeks and nose": ("cheek_raise", "nose_wrinkle", "upper_lip_raise"),
    "mouth corners": ("smile", "frown", "dimple"),
    "lips and chin": ("lip_press", "lip_stretch", "lower_lip_depress", "chin_raise"),
}
READ = tuple(n for n in NAMES if any(n.startswith(start) for starts in REGIONS.values() for start in starts))
"""Readings that are measured, of those that the regressor gives."""

CALM = "calm"


@dataclass(frozen=True)
class Section:
    """A part of the page, and its acceptance criteria: (criterion, measured, met)."""

    lines: list[str]
    criteria: list[tuple[str, str, bool]]


@dataclass(frozen=True)
class Evaluator:
    """A model with the regressor and the held-out people and recordings."""

    renderer: ClipRenderer
    regressor: PairedParameterRegressor
    clips: ClipSet
    _faces: dict[tuple[int, str, int], np.ndarray] = field(default_factory=dict, init=False)

    def tokens(self, text: str) -> Tensor:
        """Emotion tokens [L, D] of a text."""
        with torch.no_grad():
            return self.renderer.model.text_encoder.encode([text])[0]

    def read(self, person: int, tokens: Tensor, frames: int) -> dict[str, Tensor]:
        """Readings [frames] of a person's face with emotion tokens [L, D] or [frames, L, D]."""
        speech = self.clips.waveform(person)[: frames * SAMPLE_RATE // FPS]
        pictures = self.renderer(self.clips.references[person, 0], speech, tokens, frames, person)
        return self.regressor.read(pictures, self.portrait(person))

    def portrait(self, person: int) -> Tensor:
        """The calm portrait [3, S, S] that the person's face is made from and read beside."""
        return to_model_range(self.clips.references[person, 0])

    def face(self, person: int, tokens: Tensor, frames: int) -> np.ndarray:
        """Means over the clip of the readings `READ`."""
        reading = self.read(person, tokens, frames)
        return np.array([float(reading[name].mean()) for name in READ])

    def with_text(self, person: int, text: str, frames: int) -> np.ndarray:
        """`face` with a text, generated once."""
        if (person, text, frames) not in self._faces:
            self._faces[person, text, frames] = self.face(person, self.tokens(text), frames)
        return self._faces[person, text, frames]

    def without_text(self, person: int, frames: int) -> np.ndarray:
        """`with_text` of the empty text."""
        return self.with_text(person, "", frames)

    def truth(self, person: int, params: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Readings of true renders of the same person: one frame for each vector of parameters."""
        from eadnet.synthetic.renderer import Renderer
        from eadnet.synthetic.studio import person as identity_of

        renderer = Renderer(identity_of(person, "test"), size=self.clips.references.shape[2])
        rendered = to_model_range(np.stack([renderer.render(p).image for p in params]))
        return self.regressor.read(rendered, self.portrait(person))


def vector(parameters: dict[str, float]) -> np.ndarray:
    """Named facial parameters as `READ`."""
    return np.array([parameters.get(name, 0.0) for name in READ])


def parameters_of(parameters: dict[str, float], share: float = 1.0) -> np.ndarray:
    result = world.neutral()
    for name, value in parameters.items():
        result[world.INDEX[name]] = share * value
    return result
