"""The ablations in small: every variant with two seeds, killed on the way, and the table at the end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from eadnet.errors import InputError
from eadnet.modules.autoencoder import MiniAutoencoder
from eadnet.modules.mini_syncnet import MiniSyncNet
from eadnet.modules.parameter_regressors import ParameterRegressor
from eadnet.modules.stda import STDA
from eadnet.modules.tfrm import TFRM
from eadnet.modules.video_mae import VideoEncoder
from eadnet.training.data.clips import ClipSet
from eadnet.training.losses.weights import FrozenNetworks
from eadnet.training.recipes.networks import untrained_model
from eadnet.training.tasks import denoiser, denoiser_task
from experiments.ablation import cells
from experiments.ablation import command as ablate
from experiments.ablation.cells import Parts, Protocol, folder_of, train_cell
from experiments.ablation.table import as_markdown, differences
from experiments.ablation.variants import FULL, VARIANTS, Variant, as_read_by
from experiments.emotion_classifier import EmotionClassifier
from experiments.readings import NAMES
from tests.training.tiny_world import latent_set, tiny_task, write_clips

PROTOCOL = Protocol(steps=1, seeds=2, clips=3, sampling_steps=1)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    train = write_clips(tmp_path_factory.mktemp("train"), 16, pictures=True)
    held_out = write_clips(tmp_path_factory.mktemp("held_out"), 3, seed=1, pictures=True)
    data = latent_set(train)
    torch.manual_seed(0)
    vae = MiniAutoencoder(16, 1, (16, 8, 8), (1, 1, 1))
    syncnet = MiniSyncNet(widths=(8, 8, 8, 8), hidden=16, dim=8)
    videomae, tfrm = VideoEncoder(width=16, layers=1), TFRM(hidden=8, top_k=3)
    return Parts(
        data=data,
        held_out=latent_set(held_out),
        frames=ClipSet(held_out),
        task=lambda seed: tiny_task(data, seed),
        networks=FrozenNetworks(lambda: vae, lambda: syncnet, lambda: videomae, lambda: tfrm),
        regressor=ParameterRegressor(NAMES).eval(),
        classifier=EmotionClassifier(ClipSet(train)),
    )


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denoiser, "FRAMES", 16)
    monkeypatch.setattr(denoiser, "EVALUATED_CLIPS", 2)


@pytest.mark.slow
def test_every_variant_is_trained_with_every_seed_once_however_often_it_is_stopped(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out = tmp_path / "cells", tmp_path / "docs" / "ablations.md"
    trained: list[tuple[str, int]] = []
    train = cells.train_cell

    class Killed(BaseException):
        pass

    def counted(parts, protocol, variant, seed, folder):
        if len(trained) == 5 and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            raise Killed
        trained.append((variant.name, seed))
        return train(parts, protocol, variant, seed, folder)

    monkeypatch.setattr(cells, "train_cell", counted)
    with pytest.raises(Killed):
        ablate.compare(parts, PROTOCOL, root, out)
    assert "without TREPA" in out.read_text(), "what is finished can be read on the way"
    ablate.compare(parts, PROTOCOL, root, out)
    assert sorted(trained) == sorted((v.name, seed) for v in VARIANTS for seed in (0, 1))
    lines = out.read_text().splitlines()
    for variant in VARIANTS:
        row = next(line for line in lines if line.startswith(f"| {variant.name} | 2 |"))
        assert "±" in row and "nan" not in row
    assert sum(line.startswith("| without STDA |") for line in lines) == 2, "means, and differences to full"
    assert any(line.startswith("| true clips through the autoencoder") for line in lines)
    result = json.loads((folder_of(root, FULL, 0) / "result.json").read_text())
    assert set(result) >= {"mouth", "mouth, mismatched", "emotion", "expression", "PSNR", "jitter"}
    with pytest.raises(InputError, match=r"another protocol \(steps 1\)"):
        ablate.compare(parts, Protocol(steps=2, seeds=2, clips=3, sampling_steps=1), root, out)
    with pytest.raises(InputError, match=r"another protocol \(start \)"):
        ablate.compare(parts, PROTOCOL, root, out, start="mini.safetensors")
    assert "ablation --steps 1 --seeds 2 --clips 3 --sampling-steps 1`" in out.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True])
def test_variants_begin_with_the_same_encoders_and_where_asked_the_same_denoiser(
    parts: Parts, whole: bool
) -> None:
    torch.manual_seed(5)
    first = parts.task(0).with_model(untrained_model())
    begin = ablate.beginnings(first, whole)
    known, *others = (task.model.state_dict() for task in (first, begin(0), begin(1)))
    for weights in others:
        same = {name for name, value in weights.items() if torch.equal(value, known[name])}
        assert {name for name in known if name.startswith(("audio_encoder.", "text_encoder."))} <= same
        assert whole == (same == set(known))
    assert whole == all(torch.equal(value, others[1][name]) for name, value in others[0].items())


@pytest.mark.slow
def test_what_is_left_out_is_out_in_training_and_in_use(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, tuple[list[str], list[str]]] = {}

    def watched(task, data, held_out, folder, how, extra):
        seen[folder.parent.name] = ([w.loss.name for w in extra], [t["text"] for t in data.texts][:2])
        denoiser_task.switch_stda(task.model.unet, how.stda_from <= 1)
        return task.model

    monkeypatch.setattr(cells, "train_denoiser", watched)
    stda = {}
    for variant in VARIANTS:
        model = train_cell(parts, PROTOCOL, variant, 0, tmp_path / variant.name)
        stda[variant.name] = any(m.directions for m in model.unet.modules() if isinstance(m, STDA))
    assert seen["full"] == (["sync", "trepa", "tfrm"], ["looking neutral indeed", "looking happy indeed"])
    assert seen["without SyncNet loss"][0] == ["trepa", "tfrm"]
    assert seen["without TREPA"][0] == ["sync", "tfrm"]
    assert seen["without TFRM"][0] == ["sync", "trepa"]
    assert seen["labels, not descriptions"][1] == ["neutral", "happy"]
    assert seen["no emotion branch"][1] == ["", ""]
    assert not stda["without STDA"] and all(on for name, on in stda.items() if name != "without STDA")


@pytest.mark.slow
def test_relabelled_data_share_the_arrays_and_leave_the_original_alone(parts: Parts) -> None:
    labels = as_read_by(Variant("x", texts="labels"), parts.data)
    assert labels.target is parts.data.target
    assert parts.data.texts[0]["text"] == "looking neutral indeed"


def test_differences_are_paired_by_seed_and_bold_only_when_sure() -> None:
    def row(mouth: float) -> dict[str, float]:
        return {"mouth": mouth} | dict.fromkeys(
            ("mouth, mismatched", "emotion", "expression", "sync confidence", "PSNR", "jitter"), 0.5
        )

    results = {
        "full": {0: row(0.5), 1: row(0.7), 2: row(0.9)},
        "without STDA": {0: row(0.4), 1: row(0.6), 2: row(0.81)},
        "without TFRM": {0: row(0.6), 1: row(0.6), 2: row(0.95)},
    }
    found = differences(results, VARIANTS[1], "mouth")
    assert found.mean == pytest.approx(-0.0967, abs=1e-3) and found.high < 0
    text = "\n".join(as_markdown(results, VARIANTS, {"mouth": 0.98}))
    assert "| without STDA | **-0.097" in text
    assert "| without TFRM | +0.017 ±" in text, "three seeds that disagree tell nothing"
    assert "| true clips through the autoencoder | | 0.980 |" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--steps", "0"], "steps is 0"), (["--seeds", "1"], "seeds is 1"), ([], "no train")],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ablate.main(["--folder", str(tmp_path), *words])
