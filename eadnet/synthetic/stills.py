"""Write stills of many synthetic people, in the form that `eadnet.training.data.clips.StillSet` reads."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from ..dataset_format import MOMENTS_PER_STILL_PERSON
from . import expression
from .datasets import LAYOUT
from .identity import sample_identity
from .renderer import Renderer, mouth_opening


def render_stills(
    folder: Path, people: int, *, size: int = 128, first_seed: int = 0, workers: int = 1
) -> None:
    """Write a `StillSet` of many people, seeds from `first_seed`."""
    folder.mkdir(parents=True, exist_ok=True)
    count = people * MOMENTS_PER_STILL_PERSON
    stills = np.lib.format.open_memmap(folder / "stills.npy.partial", "w+", "uint8", (count, size, size, 3))
    others: dict[str, list[np.ndarray]] = {"params": [], "openings": [], "calm": []}
    jobs = [(first_seed + i, size) for i in range(people)]
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for i, made in enumerate(pool.map(_render_stills_of_one, jobs, chunksize=8)):
            stills[i * MOMENTS_PER_STILL_PERSON : (i + 1) * MOMENTS_PER_STILL_PERSON] = made.pop("stills")
            for name, values in made.items():
                others[name].append(values)
    stills.flush()
    LAYOUT.write(folder)
    for name, parts in others.items():
        np.save(folder / f"{name}.npy", np.concatenate(parts))
    # Last, as the sign that the set is whole.
    (folder / "stills.npy.partial").rename(folder / "stills.npy")


def any_moment(rng: np.random.Generator) -> np.ndarray:
    """Mostly plausible mixtures, with single parameters pushed anywhere in their range."""
    params = expression.emotion_expression(
        str(rng.choice(sorted(expression.EMOTIONS))), float(rng.uniform(0, 1))
    )
    low, high = expression.RANGES.T
    chosen = rng.random(len(params)) < 0.25
    return np.where(chosen, rng.uniform(low, high), params).astype(np.float32)


def _render_stills_of_one(job: tuple[int, int]) -> dict[str, np.ndarray]:
    """The rows of a `StillSet` that one person fills."""
    import cv2

    cv2.setNumThreads(1)
    seed, size = job
    rng = np.random.default_rng([seed, 991])
    renderer = Renderer(sample_identity(rng), size=size)
    moments = np.stack([any_moment(rng) for _ in range(MOMENTS_PER_STILL_PERSON)])
    rendered = [renderer.render(moment) for moment in moments]
    return {
        "stills": np.stack([frame.image for frame in rendered]),
        "params": moments,
        "openings": np.array([mouth_opening(frame.landmarks) for frame in rendered], np.float32),
        "calm": renderer.render(expression.neutral()).image[None],
    }
