"""One person of the drawn world in many moments: what the reader of facial parameters learns from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .clips import make_changing_clip, make_clip
from .expression import neutral
from .gallery import person
from .renderer import Renderer
from .stills import any_moment

PERFORMER = 130
"""The seed of the person who performs: the one of the bundled portrait."""

_FRAMES_OF_A_CLIP, _SHOWN_OF_A_CLIP = 64, 12


class Moments(NamedTuple):
    """Pictures uint8 [N, S, S, 3] and the facial parameters that they show, float32 [N, P]."""

    pictures: np.ndarray
    params: np.ndarray


def at_rest(size: int) -> np.ndarray:
    """The performer with a neutral face, uint8 [size, size, 3]."""
    return Renderer(person(PERFORMER), size).render(neutral()).image


def moments(clips: int, split: str = "train", size: int = 128, first_seed: int = 0) -> Iterator[Moments]:
    """Moments of what the people of ``clips`` say and feel, performed by one; in training as many again
    in which any parameter may take any value.
    """
    renderer = Renderer(person(PERFORMER), size)
    for seed in range(first_seed, first_seed + clips):
        rng = np.random.default_rng([seed, 1789])
        made = (make_changing_clip if seed % 4 == 0 else make_clip)(seed, split, _FRAMES_OF_A_CLIP)
        shown = rng.choice(_FRAMES_OF_A_CLIP, _SHOWN_OF_A_CLIP, replace=False)
        params = made.params[shown]
        if split == "train":
            params = np.concatenate([params, [any_moment(rng) for _ in range(_SHOWN_OF_A_CLIP // 2)]])
        pictures = np.stack([renderer.render(row).image for row in params])
        yield Moments(pictures, params.astype(np.float32))
