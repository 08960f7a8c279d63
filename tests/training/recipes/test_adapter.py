"""The recipe `adapter`: only EAD-Net's parts learn, and they learn something of clips they did not see."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from eadnet.adapters import apply_adapter, is_ead_key
from eadnet.checkpoints import load_checkpoint, read_info
from eadnet.errors import InputError
from eadnet.modules.unet import EADUNet
from eadnet.training.on_set import OnSet
from eadnet.training.processes import make_accelerator
from eadnet.training.recipes.adapter import Files, train_adapter, with_parts
from eadnet.training.tasks import unet_on_set
from eadnet.training.trainer import Trainer
from tests.in_comfy import ROOT
from tests.training.prepared_world import (
    EAD,
    NO_RECORDINGS,
    has_recordings,
    noise_crops,
    real_crops,
    tiny_preset,
    write_networks,
    write_prepared,
)

HOW = OnSet(
    steps=6, batch=2, window=8, rate=3e-3, validate_every=3, held_out=2, save_every=2, log_every=1, cpu=True
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return write_networks(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prepared(tmp_path_factory.mktemp("made"), noise_crops())


def log_of(out: Path) -> list[dict[str, float]]:
    with (out / "log.csv").open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def outputs(unet: EADUNet, emotion: bool) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    sample = torch.randn(1, 13, 3, 4, 4, generator=generator)
    audio = torch.randn(1, 3, 30, 8, generator=generator)
    tokens = torch.randn(1, 8, 12, generator=generator)
    with torch.no_grad():
        return unet(sample, 500, audio, tokens if emotion else None)


def test_the_parts_change_nothing_before_they_are_trained(files: Files) -> None:
    base = load_checkpoint(files.base, only=["unet"]).component("unet")
    whole = with_parts(base, {**EAD, "emotion_dim": 12}).eval()
    assert torch.equal(outputs(base, False), outputs(whole, True))


@pytest.mark.slow
@pytest.mark.skipif(not has_recordings(), reason=NO_RECORDINGS)
def test_loss_and_held_out_loss_fall_on_real_crops_and_the_base_stays_bit_for_bit(
    files: Files, tmp_path: Path
) -> None:
    directory = write_prepared(tmp_path / "real", real_crops())
    before = files.base.read_bytes()
    how = replace(HOW, steps=120, validate_every=60, save_every=60)
    adapter = train_adapter(directory, tmp_path / "out", files, how, tiny_preset())
    rows = log_of(tmp_path / "out")
    losses = [row["loss"] for row in rows]
    assert sum(losses[-30:]) < 0.97 * sum(losses[:30])
    assert rows[-1]["held_out"] < 0.97 * rows[0]["held_out"]
    assert files.base.read_bytes() == before

    loaded = load_checkpoint(files.base, only=["unet"])
    plain, adapted = loaded.component("unet"), apply_adapter(loaded.component("unet"), adapter, loaded.info)
    own = {k: v for k, v in adapted.state_dict().items() if not is_ead_key(k)}
    assert own.keys() == plain.state_dict().keys()
    assert all(torch.equal(value, plain.state_dict()[key]) for key, value in own.items())
    assert (outputs(adapted, True) - outputs(plain, False)).abs().max() > 1e-3
    assert read_info(adapter)["mask_region"] == loaded.mask_region
    assert list((tmp_path / "out" / "samples").glob("step_*.mp4"))


@pytest.mark.slow
@pytest.mark.parametrize("killed_at", [1, 3])
def test_a_killed_run_ends_with_the_same_adapter_and_log(
    files: Files, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    whole = train_adapter(made, tmp_path / "whole", files, HOW, tiny_preset())

    class Killed(BaseException):
        pass

    optimize = Trainer.optimize

    def kill(self: Trainer, *args: object, **kwargs: object) -> float:
        if self.step == killed_at:
            raise Killed
        return optimize(self, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "optimize", kill)
        with pytest.raises(Killed):
            train_adapter(made, tmp_path / "parts", files, HOW, tiny_preset())
    parts = train_adapter(made, tmp_path / "parts", files, HOW, tiny_preset())
    assert parts.read_bytes() == whole.read_bytes()
    assert (tmp_path / "parts/log.csv").read_text() == (tmp_path / "whole/log.csv").read_text()


@pytest.mark.slow
def test_a_step_of_two_batches_is_that_of_one_twice_as_large(
    files: Files, made: Path, tmp_path: Path
) -> None:
    large = replace(HOW, batch=4, steps=4)
    train_adapter(made, tmp_path / "large", files, large, tiny_preset())
    train_adapter(made, tmp_path / "small", files, replace(large, batch=2, accumulation=2), tiny_preset())
    for one, two in zip(log_of(tmp_path / "large"), log_of(tmp_path / "small"), strict=True):
        assert one["loss"] == pytest.approx(two["loss"], abs=1e-5)
        assert one["norm"] == pytest.approx(two["norm"], rel=1e-3)


def in_processes(
    count: int, files: Files, directory: Path, out: Path, how: OnSet, script: str = "train_tiny", *more: str
) -> int:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={count}"]
    settings = json.dumps(vars(how))
    file = str(ROOT / "tests" / "training" / "recipes" / f"{script}.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    words = [*launcher, file, str(files.base.parent), str(directory), str(out), settings, *more]
    return subprocess.run(words, env=environment).returncode


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one_with_twice_the_batch(
    files: Files, made: Path, tmp_path: Path
) -> None:
    how = replace(HOW, steps=20, batch=2, validate_every=10, held_out=1)
    assert in_processes(2, files, made, tmp_path / "two", how) == 0
    assert in_processes(1, files, made, tmp_path / "one", replace(how, batch=4)) == 0
    one, two = log_of(tmp_path / "one"), log_of(tmp_path / "two")
    assert len(one) == len(two) == 20 and one[0]["loss"] != one[-1]["loss"]
    for left, right in zip(one, two, strict=True):
        assert left["loss"] == pytest.approx(right["loss"], abs=1e-5)
    first, second = (
        torch.load(tmp_path / n / "state.pt", weights_only=True)["module"] for n in ("one", "two")
    )
    assert max(float((first[key] - second[key]).abs().max()) for key in first) < 1e-4


@pytest.mark.slow
def test_weights_in_parts_on_two_processes_learn_the_same_and_a_killed_run_goes_on(
    files: Files, made: Path, tmp_path: Path
) -> None:
    how = replace(HOW, steps=4, batch=1, validate_every=2, held_out=1)
    assert in_processes(2, files, made, tmp_path / "whole", how) == 0
    assert in_processes(2, files, made, tmp_path / "parts", how, "train_sharded", "3") != 0
    state = torch.load(tmp_path / "parts" / "state.pt", weights_only=True)
    assert (state["step"], state["shards"], state["average"]) == (2, 2, {}) and "module" not in state
    assert in_processes(2, files, made, tmp_path / "parts", how, "train_sharded") == 0
    for one, two in zip(log_of(tmp_path / "whole"), log_of(tmp_path / "parts"), strict=True):
        assert one == pytest.approx(two, abs=2e-5)
    first, second = (load_file(tmp_path / name / "adapter.safetensors") for name in ("whole", "parts"))
    assert first.keys() == second.keys()
    assert all(torch.allclose(first[key].float(), second[key].float(), atol=2e-3) for key in first)
    with pytest.raises(InputError, match="of weights in 2 parts, and this run has none"):
        train_adapter(made, tmp_path / "parts", files, replace(how, batch=2), tiny_preset())


@pytest.mark.slow
def test_checkpointing_trains_the_same_weights(files: Files, made: Path, tmp_path: Path) -> None:
    how = replace(HOW, steps=3)
    plain = train_adapter(made, tmp_path / "plain", files, how, tiny_preset())
    again = train_adapter(made, tmp_path / "again", files, replace(how, checkpointing=True), tiny_preset())
    assert plain.read_bytes() == again.read_bytes()


@pytest.mark.slow
def test_bfloat16_computes_and_keeps_weights_in_float32(files: Files, made: Path, tmp_path: Path) -> None:
    from accelerate.state import AcceleratorState, GradientState

    AcceleratorState._reset_state(True)
    try:
        out = tmp_path / "out"
        train_adapter(made, out, files, replace(HOW, steps=3, precision="bf16"), tiny_preset())
    finally:
        AcceleratorState._reset_state(True)
        GradientState._reset_state()
    state = torch.load(out / "state.pt", weights_only=True)
    assert {value.dtype for value in state["module"].values()} == {torch.float32}
    assert all(is_ead_key(key) for key in state["module"])


@pytest.fixture
def fp16_on_a_processor(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.amp.GradScaler]]:
    """Accelerate's own autocast and scaling of the loss, which it leaves to GPUs, on a processor."""
    from accelerate.state import AcceleratorState, GradientState

    scalers = []

    def make(**how: Any) -> Any:
        AcceleratorState._reset_state(True)
        made = make_accelerator(**{**how, "precision": "no"})
        made.state._mixed_precision, made.native_amp = "fp16", True
        made.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**14, growth_interval=2)
        scalers.append(made.scaler)
        return made

    monkeypatch.setattr(unet_on_set, "make_accelerator", make)
    yield scalers
    AcceleratorState._reset_state(True)
    GradientState._reset_state()


@pytest.mark.slow
def test_half_precision_scales_the_loss_and_a_killed_run_keeps_the_scale(
    files: Files,
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fp16_on_a_processor: list[torch.amp.GradScaler],
) -> None:
    from accelerate.state import AcceleratorState

    how = replace(HOW, steps=6, validate_every=0)
    whole = train_adapter(made, tmp_path / "half", files, how, tiny_preset())
    state = torch.load(tmp_path / "half" / "state.pt", weights_only=True)
    assert {value.dtype for value in state["module"].values()} == {torch.float32}
    assert state["scaler"]["scale"] == fp16_on_a_processor[0].get_scale() > 2.0**14, "it grew on the way"

    optimize = Trainer.optimize

    def kill(self: Trainer, *args: object, **kwargs: object) -> float:
        if self.step == 4:
            raise KeyboardInterrupt
        return optimize(self, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "optimize", kill)
        with pytest.raises(KeyboardInterrupt):
            train_adapter(made, tmp_path / "parts", files, how, tiny_preset())
    parts = train_adapter(made, tmp_path / "parts", files, how, tiny_preset())
    assert parts.read_bytes() == whole.read_bytes()
    monkeypatch.undo()
    AcceleratorState._reset_state(True)
    train_adapter(made, tmp_path / "full", files, how, tiny_preset())
    losses = [[row["loss"] for row in log_of(tmp_path / name)] for name in ("half", "full")]
    assert losses[0] == pytest.approx(losses[1], rel=5e-3) and losses[0] != losses[1]


def test_half_precision_without_a_gpu_is_refused(files: Files, made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fp16 needs a GPU: use --precision bf16"):
        train_adapter(made, tmp_path / "out", files, replace(HOW, precision="fp16"), tiny_preset())


def test_a_set_of_another_resolution_is_refused(files: Files, tmp_path: Path) -> None:
    other = write_prepared(tmp_path / "set", noise_crops(4), resolution=256)
    with pytest.raises(InputError, match="crops of 256 pixels and the U-Net takes 32"):
        train_adapter(other, tmp_path / "out", files, HOW, tiny_preset())


def test_latents_behind_another_mask_are_refused(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.training import prepared_world

    def with_latents(*args: object):
        for sample in segments(*args):  # type: ignore[arg-type]
            latents = torch.zeros(sample.count, 4, 4, 4)
            yield replace(sample, tensors={"latents": latents, "masked_latents": latents.clone()})

    segments = prepared_world.segments
    monkeypatch.setattr(prepared_world, "segments", with_latents)
    other = write_prepared(tmp_path / "set", noise_crops(4), features="ead-256")
    with pytest.raises(InputError, match="hides the face, and this training hides the lower_face"):
        train_adapter(other, tmp_path / "out", files, HOW, tiny_preset())


def test_a_set_that_lacks_what_no_network_is_given_for_is_refused(
    files: Files, made: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="holds no latents: give the VAE with --vae"):
        train_adapter(made, tmp_path / "out", replace(files, vae=None), HOW, tiny_preset())
    with pytest.raises(InputError, match="holds no sound features: give Whisper with --whisper"):
        train_adapter(made, tmp_path / "out", replace(files, whisper=None), HOW, tiny_preset())


def test_more_clips_in_a_step_than_the_set_has_are_refused(files: Files, made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a step takes 64: use a smaller batch"):
        train_adapter(made, tmp_path / "out", files, replace(HOW, batch=64), tiny_preset())


@pytest.mark.slow
def test_a_loss_that_is_not_finite_leaves_the_last_state(
    files: Files, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, loss = tmp_path / "out", unet_on_set.AdapterTask.loss
    count = 0

    def broken(self: object, *args: object) -> torch.Tensor:
        nonlocal count
        count += 1
        return loss(self, *args) * (float("nan") if count == 4 else 1)  # type: ignore[arg-type]

    monkeypatch.setattr(unet_on_set.AdapterTask, "loss", broken)
    with pytest.raises(FloatingPointError, match="loss became nan at step 3 .* is intact"):
        train_adapter(made, out, files, HOW, tiny_preset())
    assert torch.load(out / "state.pt", weights_only=True)["step"] == 2


@pytest.mark.slow
def test_without_anyone_held_out_nothing_is_measured_and_another_set_is_another_run(
    files: Files, made: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory, how = write_prepared(tmp_path, noise_crops(), splits=("train",)), replace(HOW, steps=2)
    assert train_adapter(directory, tmp_path / "out", files, how, tiny_preset()).is_file()
    assert "about one speaker in twenty becomes val" in caplog.text
    assert [set(row) for row in log_of(tmp_path / "out")] == 2 * [{"step", "loss", "norm"}]
    with pytest.raises(InputError, match="of a run with set .*, not .*: choose another folder"):
        train_adapter(made, tmp_path / "out", files, how, tiny_preset())
