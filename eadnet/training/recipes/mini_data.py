"""The data of the `mini` recipe: synthetic stills, clips and speech, and their latents."""

from __future__ import annotations

from pathlib import Path

from ...dataset_format import OTHER_VOICES
from ...presets import Preset
from ...printable import get_logger
from ...synthetic.datasets import LAYOUT, DatasetShape, render_dataset
from ...synthetic.speech_sets import LAYOUT as SPEECH_LAYOUT
from ...synthetic.speech_sets import make_other_voices, make_speech
from ...synthetic.stills import render_stills
from ..data.encoding import encode_dataset, encode_stills
from ..data.latents import LatentSet
from .budget import Budget
from .networks import MINI, load_autoencoder

logger = get_logger(__name__)

HELD_OUT_RECORDINGS = 400
FEATURES, APART = "features", "apart"
ALIKE = ("lid_tighten", "cheek_raise")  # both narrow the eye, and clips of emotions hardly tell which did


def render(folder: Path, budget: Budget, workers: int) -> None:
    """Stills for the VAE, clips for the U-Net, speech for its encoder; what is there is kept."""
    if not (folder / "stills" / "stills.npy").exists():
        render_stills(folder / "stills", budget.people, workers=workers)
    LAYOUT.write(folder / "stills")
    first, changing = budget.first_seed, budget.changing
    _render_clips(
        folder / "validation", "validation", DatasetShape(budget.held_out_clips, budget.frames), workers
    )
    _render_clips(
        folder / "train", "train", DatasetShape(budget.clips, budget.frames), workers, first, changing
    )
    if budget.features:
        shape = DatasetShape(budget.features, budget.frames)
        beyond = first + budget.clips
        _render_clips(folder / FEATURES, "train", shape, workers, beyond, changing, kind="features")
    if budget.apart:
        shape = DatasetShape(budget.apart, budget.frames)
        beyond = first + budget.clips + 10 * budget.features  # one sentence in seven is of that kind
        _render_clips(folder / APART, "train", shape, workers, beyond, changing, kind="features", apart=ALIKE)
    for split, count in (("validation", HELD_OUT_RECORDINGS), ("train", budget.spoken)):
        if not (folder / "speech" / split / "mouths.npy").exists():
            seed = first if split == "train" else 0
            make_speech(folder / "speech" / split, split, count, first_seed=seed, workers=workers)
        SPEECH_LAYOUT.write(folder / "speech" / split)
    for name in training_folders(budget):
        if budget.voices and not (folder / name / OTHER_VOICES).exists():
            make_other_voices(folder / name, budget.voices, workers=workers)


def _render_clips(
    folder: Path,
    split: str,
    shape: DatasetShape,
    workers: int,
    first_seed: int = 0,
    changing: float = 0.0,
    kind: str | None = None,
    apart: tuple[str, str] | None = None,
) -> None:
    if not (folder / "texts.json").exists():
        render_dataset(
            folder,
            split,
            shape,
            first_seed=first_seed,
            workers=workers,
            changing=changing,
            kind=kind,
            apart=apart,
        )
        logger.info("rendered %d clips into %s", shape.clips, folder)
    LAYOUT.write(folder)


def training_folders(budget: Budget) -> tuple[str, ...]:
    """Folders of the clips that the U-Net learns from."""
    more = {FEATURES: budget.features, APART: budget.apart}
    return ("train", *(name for name, count in more.items() if count))


def encode(folder: Path, budget: Budget, workers: int, preset: Preset = MINI) -> None:
    """Latents of all clips and stills."""
    vae = load_autoencoder(folder)
    for split in ("validation", *training_folders(budget)):
        encode_dataset(folder / split, vae, folder / "latents" / split, preset.mask_region, workers)
    encode_stills(folder / "stills", vae, folder / "latents" / "stills")


def training_set(folder: Path, budget: Budget) -> LatentSet:
    """All clips that the U-Net learns from, as one set."""
    data, *more = (LatentSet(folder / "latents" / name, folder / name) for name in training_folders(budget))
    for other in more:
        data.append(other)
    return data
