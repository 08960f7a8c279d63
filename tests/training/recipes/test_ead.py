"""The recipes of the whole U-Net and of SyncNet in small: what is trained, what scores, what is refused."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from eadnet.checkpoints import load_checkpoint, save_checkpoint
from eadnet.errors import InputError
from eadnet.modules.autoencoder import MiniAutoencoder
from eadnet.modules.lpips import LPIPS
from eadnet.modules.stable_syncnet import StableSyncNet
from eadnet.training.data.prepared import held_out
from eadnet.training.losses.supervision import Supervision, SupervisionWeights, sync_error
from eadnet.training.on_set import OnSet
from eadnet.training.recipes.ead import SupervisionFiles, second_stage, train_ead
from eadnet.training.recipes.stable_syncnet import pair_loss, pairs, train_stable_syncnet
from eadnet.training.trainer import Trainer
from tests.golden_weights import load_golden
from tests.training.prepared_world import SIDE, noise_crops, tiny_preset, write_networks, write_prepared

HOW = OnSet(
    steps=2, batch=2, window=16, rate=1e-3, average=0.5, validate_every=0, log_every=1, save_every=1, cpu=True
)
PRESET = replace(tiny_preset(), resolution=SIDE)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory):
    return write_networks(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prepared(tmp_path_factory.mktemp("made"), noise_crops(6))


@pytest.fixture(scope="module")
def syncnet() -> StableSyncNet:
    torch.manual_seed(3)
    return StableSyncNet.from_config(load_golden("stable_syncnet_tiny.config.json"))


@pytest.mark.slow
def test_the_second_stage_goes_on_from_the_first_and_trains_what_latentsyncs_does(
    files, made: Path, tmp_path: Path, syncnet: StableSyncNet
) -> None:
    first = train_ead(made, tmp_path / "one", files, HOW, PRESET, 1)
    save_checkpoint(tmp_path / "syncnet.safetensors", {"syncnet": syncnet}, {})
    later = replace(files, base=first)
    supervision_files = SupervisionFiles(tmp_path / "syncnet.safetensors")
    second = train_ead(made, tmp_path / "two", later, HOW, PRESET, 2, supervision_files)
    old, new = (load_checkpoint(path, only=["unet"]) for path in (first, second))
    assert new.mask_region == "face" and new.preset == "ead-256" and new.info["training"]["stage"] == 2
    before, after = (one.component("unet").state_dict() for one in (old, new))
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed and all(map(second_stage, changed))
    assert any("motion_modules" in key for key in changed) and any("stda" in key for key in changed)
    base = load_checkpoint(files.base, only=["unet"]).component("unet").state_dict()
    assert not torch.equal(base["conv_in.weight"], before["conv_in.weight"]), "the first stage trains all"


class Killed(BaseException):
    pass


def killed_at(step: int) -> Callable[..., float]:
    optimize = Trainer.optimize

    def kill(self: Trainer, *args: object, **kwargs: object) -> float:
        if self.step == step:
            raise Killed
        return optimize(self, *args, **kwargs)  # type: ignore[arg-type]

    return kill


@pytest.mark.slow
@pytest.mark.parametrize("what", ["stage 1", "stage 2", "syncnet"])
def test_a_killed_run_ends_with_the_same_file_and_log(
    files, made: Path, tmp_path: Path, syncnet: StableSyncNet, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    how = replace(HOW, steps=3)
    save_checkpoint(tmp_path / "syncnet.safetensors", {"syncnet": syncnet}, {})
    config = load_golden("stable_syncnet_tiny.config.json")

    def train(out: Path) -> Path:
        if what == "syncnet":
            return train_stable_syncnet(made, out, how, config=config)
        supervision_files = SupervisionFiles(tmp_path / "syncnet.safetensors")
        return train_ead(made, out, files, how, PRESET, int(what[-1]), supervision_files)

    whole = train(tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "optimize", killed_at(2))
        with pytest.raises(Killed):
            train(tmp_path / "parts")
    assert train(tmp_path / "parts").read_bytes() == whole.read_bytes()
    logs = [(tmp_path / name / "log.csv").read_text() for name in ("parts", "whole")]
    assert logs[0] == logs[1] and len(logs[0].splitlines()) == 4


@pytest.mark.slow
def test_lpips_and_trepa_join_the_second_stage_and_are_in_its_log(
    files, made: Path, tmp_path: Path, syncnet: StableSyncNet
) -> None:
    save_checkpoint(tmp_path / "syncnet.safetensors", {"syncnet": syncnet}, {})
    torch.manual_seed(1)
    network = LPIPS("vgg16")
    for weights in network.lin:
        torch.nn.init.constant_(weights, 1 / len(weights))
    save_checkpoint(tmp_path / "lpips.safetensors", {"lpips": network}, {}, dtype=None)
    supervision_files = SupervisionFiles(
        tmp_path / "syncnet.safetensors", None, tmp_path / "lpips.safetensors"
    )
    train_ead(made, tmp_path / "out", files, replace(HOW, steps=1), PRESET, 2, supervision_files)
    with (tmp_path / "out" / "log.csv").open() as file:
        (row,) = csv.DictReader(file)
    parts = {name: float(row[name]) for name in ("noise", "pixel", "sync", "perceptual")}
    assert min(parts.values()) > 0
    expected = parts["noise"] + 0.1 * parts["pixel"] + 0.05 * parts["sync"] + 0.1 * parts["perceptual"]
    assert float(row["loss"]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_supervision_falls_as_the_estimate_comes_near(made: Path, syncnet: StableSyncNet) -> None:
    torch.manual_seed(0)
    vae = MiniAutoencoder(16, 1, (16, 8, 8), (1, 1, 1))
    supervision = Supervision(vae, syncnet, None, SupervisionWeights(), 16).to(torch.device("cpu"))
    clips = held_out(made, "val", 2, 16)
    target = torch.randn(2, 16, 4, SIDE // 8, SIDE // 8)
    estimate = (target + torch.randn_like(target)).requires_grad_()
    far, near = supervision(estimate, target, clips), supervision(target, target, clips)
    assert far > near
    (slope,) = torch.autograd.grad(far, estimate)
    assert (slope.flatten(2).abs().sum(-1) > 0).all(), "every frame of every clip is seen"


@pytest.mark.slow
def test_the_sync_error_is_that_of_the_cosine(made: Path, syncnet: StableSyncNet) -> None:
    clips = held_out(made, "val", 2, 16)
    pictures = torch.rand(2, 16, 3, SIDE, SIDE)
    assert sync_error(syncnet, pictures, clips) >= 0
    same = torch.nn.functional.normalize(torch.ones(2, 4), dim=1)
    assert float(pair_loss(same, same, torch.ones(2))) < 1e-4 < float(pair_loss(same, same, torch.zeros(2)))


def test_pairs_that_do_not_belong_together_are_of_the_same_person_elsewhere(
    made: Path, syncnet: StableSyncNet
) -> None:
    clips = held_out(made, "val", 4, 16) * 3
    video, mel, truth = pairs(syncnet, clips, torch.device("cpu"))
    assert video.shape[1] == 48 and mel.shape[1:] == (1, 80, syncnet.mel_frames)
    assert 0 < float(truth.sum()) < len(truth)
    assert all(abs(clip.elsewhere - clip.start) >= 16 for clip in clips)


@pytest.mark.slow
def test_a_syncnet_learns_and_is_saved_as_evaluation_takes_it(made: Path, tmp_path: Path) -> None:
    config = load_golden("stable_syncnet_tiny.config.json")
    path = train_stable_syncnet(made, tmp_path / "out", replace(HOW, steps=3), config=config)
    assert load_checkpoint(path).component("syncnet").num_frames == 16
    assert len((tmp_path / "out" / "log.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"stage": 3}, "no stage 3"), ({"preset": replace(PRESET, resolution=512)}, "U-Net of 32 pixels")],
)
def test_what_does_not_fit_is_refused(files, made: Path, tmp_path: Path, change: dict, problem: str) -> None:
    settings = {"preset": PRESET, "stage": 1, **change}
    with pytest.raises(InputError, match=problem):
        train_ead(made, tmp_path / "out", files, HOW, **settings)


def test_the_second_stage_needs_the_vae_and_the_window_of_its_judge(
    files, made: Path, tmp_path: Path, syncnet: StableSyncNet
) -> None:
    with pytest.raises(InputError, match="sees 16 frames at once, not 8: train with --window 16"):
        Supervision(None, syncnet, None, SupervisionWeights(), 8)


@pytest.mark.slow
def test_syncnet_without_anyone_held_out_is_not_measured_and_another_set_is_another_run(
    made: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = load_golden("stable_syncnet_tiny.config.json")
    directory, how = (
        write_prepared(tmp_path, noise_crops(), splits=("train",)),
        replace(HOW, validate_every=1),
    )
    assert train_stable_syncnet(directory, tmp_path / "out", how, config=config).is_file()
    assert "about one speaker in twenty becomes val" in caplog.text
    assert (tmp_path / "out" / "log.csv").read_text().splitlines()[0] == "step,loss,norm"
    with pytest.raises(InputError, match="of a run with set .*, not .*: choose another folder"):
        train_stable_syncnet(made, tmp_path / "out", how, config=config)
