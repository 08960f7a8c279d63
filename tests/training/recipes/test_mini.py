"""The recipe's wiring in small: stages that need each other find each other's results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from eadnet.dataset_format import ParameterLayout
from eadnet.errors import InputError
from eadnet.modules.autoencoder import MiniAutoencoder
from eadnet.modules.tfrm import TFRM
from eadnet.synthetic.datasets import LAYOUT, DatasetShape, seeds_of
from eadnet.training.data.latents import LatentSet
from eadnet.training.losses.weights import Weights
from eadnet.training.recipes import mini, mini_data
from eadnet.training.recipes.budget import Budget
from eadnet.training.recipes.networks import load_autoencoder
from eadnet.training.tasks import denoiser
from eadnet.training.tasks.denoiser import Schedule
from tests.training.tiny_world import CROP, tiny_model, tiny_task, write_clips


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder after `encode`, with tiny networks in place of the preset's."""
    for split in ("train", "validation"):
        write_clips(tmp_path / split, 3, pictures=split == "validation")
        (tmp_path / "latents").mkdir(exist_ok=True)
        (tmp_path / split / "latents").rename(tmp_path / "latents" / split)
    vae = MiniAutoencoder(16, 1, (16, 8, 8), (1, 1, 1))
    monkeypatch.setattr(mini, "load_autoencoder", lambda _: vae)
    monkeypatch.setattr(mini, "new_smoother", lambda _: TFRM(hidden=8, top_k=3))
    data = latent_set_of(tmp_path)
    monkeypatch.setattr(mini, "denoiser_task", lambda *_, **__: (tiny_task(data), data, data))
    monkeypatch.setattr(denoiser, "EVALUATED_CLIPS", 2)
    monkeypatch.setattr(mini, "SAMPLED_WINDOWS", 2)
    return tmp_path


def latent_set_of(folder: Path) -> LatentSet:
    return LatentSet(folder / "latents" / "train", folder / "train")


@pytest.mark.slow
def test_a_weighed_loss_gets_its_frozen_network_trained_first_and_samples_are_written(folder: Path) -> None:
    budget = Budget(smoother=1e-6)
    how = Schedule(steps=3, frames=16, sample_every=2)
    mini.denoiser(folder, budget, how=how, weights=Weights(tfrm=0.1, pixel=0.1, frames=2))
    assert (folder / "smoother" / "model.pt").is_file(), "the frozen network of the TFRM loss"
    header = (folder / "denoiser" / "log.csv").read_text().splitlines()[0]
    assert "loss_tfrm" in header and "loss_pixel" in header
    saved = torch.load(folder / "denoiser" / "model.pt", weights_only=True)
    assert saved.keys() == tiny_model().state_dict().keys()
    assert sorted(p.name for p in (folder / "denoiser" / "samples").iterdir()) == [
        "step_0000002_clip_0.mp4",
        "step_0000002_clip_1.mp4",
    ]
    mini.smoother(folder, budget, sampled=1.0)
    assert (folder / "smoother_sampled" / "state.pt").is_file(), "TFRM goes on with the denoiser's samples"


@pytest.mark.slow
def test_without_weights_nothing_else_is_trained(folder: Path) -> None:
    mini.denoiser(folder, Budget(), how=Schedule(steps=1, frames=16))
    assert sorted(p.name for p in folder.iterdir()) == ["denoiser", "latents", "train", "validation"]


def test_the_frozen_networks_come_from_their_stages(folder: Path) -> None:
    found = mini.frozen_networks(folder, Budget(smoother=1e-6), CROP)
    assert isinstance(found.tfrm(), TFRM) and found.vae() is mini.load_autoencoder(folder)


@pytest.mark.slow
def test_the_decoder_is_fine_tuned_where_the_other_stages_find_it(tmp_path: Path) -> None:
    for split in ("train", "validation"):
        write_clips(tmp_path / split, 2, pictures=True)
    (tmp_path / "vae").mkdir()
    before = MiniAutoencoder()
    torch.save(before.state_dict(), tmp_path / "vae" / "model.pt")
    mini.decoder(tmp_path, Budget(decoder=1e-6))
    tuned, untuned = load_autoencoder(tmp_path).state_dict(), before.state_dict()
    assert torch.equal(tuned["encoder.1.weight"], untuned["encoder.1.weight"])
    assert not torch.equal(tuned["decoder.0.weight"], untuned["decoder.0.weight"])


def test_clips_that_name_single_features_join_the_training_set(folder: Path) -> None:
    for name in (mini_data.FEATURES, mini_data.APART):
        write_clips(folder / name, 2)
        (folder / name / "latents").rename(folder / "latents" / name)
    assert len(mini_data.training_set(folder, Budget())) == 3
    assert len(mini_data.training_set(folder, Budget(features=2))) == 5
    assert len(mini_data.training_set(folder, Budget(features=2, apart=2))) == 7


def test_no_clip_of_features_comes_again_among_those_of_the_other_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: dict[str, list[int]] = {}

    def note(folder: Path, split: str, shape: DatasetShape, **how: Any) -> None:
        chosen = {name: how[name] for name in ("kind", "apart") if how[name]}
        seeds[folder.name] = seeds_of(
            {"split": split, "clips": shape.clips, **chosen} | {"first_seed": how["first_seed"]}
        )

    monkeypatch.setattr(mini_data, "render_dataset", note)
    for name in ("render_stills", "make_speech", "make_other_voices"):
        monkeypatch.setattr(mini_data, name, lambda *_, **__: None)
    mini_data.render(tmp_path, Budget(clips=20, features=30, apart=10, held_out_clips=1), workers=1)
    assert len(seeds[mini_data.FEATURES]) == 30 and len(seeds[mini_data.APART]) == 10
    assert (
        not set(seeds[mini_data.FEATURES]) & set(seeds[mini_data.APART])
        and min(seeds[mini_data.FEATURES]) >= 20
    )


@pytest.mark.parametrize("budget", [Budget(text=0.0), Budget(audio=0.0)])
def test_new_encoders_without_minutes_are_refused_before_anything_is_read(
    tmp_path: Path, budget: Budget
) -> None:
    with pytest.raises(InputError, match="need minutes"):
        mini.denoiser_task(tmp_path, budget)


def test_rendering_again_names_the_parameters_of_sets_that_were_rendered_before_names_were_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("render_dataset", "render_stills", "make_speech", "make_other_voices"):
        monkeypatch.setattr(mini_data, name, lambda *_, **__: None)
    clips = write_clips(tmp_path / "train", 2)
    (clips / "parameters.json").unlink()
    mini_data.render(tmp_path, Budget(), workers=1)
    assert ParameterLayout.read(clips) == LAYOUT
    assert ParameterLayout.read(tmp_path / "speech" / "train").names == LAYOUT.speech
