"""The ablations of motion in small: every variant, killed on the way, and what each leaves out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.errors import InputError
from eadnet.modules.map_syncnet import MapSyncNet
from eadnet.modules.stda import STDA
from eadnet.modules.tfrm import TFRM
from eadnet.modules.video_mae import MAPS, VideoEncoder
from eadnet.rig.expression import INDEX, PARAMETERS
from eadnet.rig.track import GROUPS
from eadnet.synthetic.captions import Description
from eadnet.synthetic.visemes import MOUTH
from eadnet.training.losses.motion import Critics
from eadnet.training.tasks.motion import MotionTask
from experiments.ablation.cells import folder_of
from experiments.ablation.variants import FULL
from experiments.motion import ablation
from experiments.motion.ablation import COMPARED, DENOISING, Judged, Protocol, Shared
from experiments.motion.measures import Case
from experiments.speech.clips import STEP, TalkingClip
from tests.tiny_motion import MOTION, tiny_codec, tiny_model
from tests.training.tasks.test_motion import FLEETING

PROTOCOL = Protocol(steps=1, frames=48, seeds=1, cases=3)
LENGTH = 96


def task(seed: int = 0) -> MotionTask:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MotionTask(tiny_model(), MOTION, tiny_codec(), GROUPS["mouth"], FLEETING, (GROUPS["head"],))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    folder, rng = tmp_path_factory.mktemp("motion"), np.random.default_rng(0)
    (folder / "train").mkdir()
    arrays = {
        "audio": rng.normal(size=(4, 2 * LENGTH, 8)),
        "mouths": rng.uniform(0, 1, (4, LENGTH, len(MOUTH))),
        "levels": rng.uniform(0, 1, (4, LENGTH)),
    }
    for name, array in arrays.items():
        np.save(folder / "train" / f"{name}.npy", array.astype(np.float16))

    def case(number: int) -> Case:
        face = np.zeros(len(PARAMETERS), np.float32)
        face[INDEX["smile_l"]] = number / 3
        truth = np.tile(face, (LENGTH, 1)) + rng.uniform(0, 0.2, (LENGTH, len(PARAMETERS))).astype(np.float32)
        truth[:, INDEX["lip_close"]] = np.arange(LENGTH) % 8 == 0
        return Case(torch.randn(LENGTH * STEP), "a wide smile", truth, face, "happy")

    def clip(name: str) -> TalkingClip:
        points = rng.uniform(0, 100, (50, 478, 3)).astype(np.float32)
        sound = rng.normal(size=50 * STEP).astype(np.float32)
        return TalkingClip(name, name, points, np.zeros((50, 52), np.float32), sound)

    syncnet = MapSyncNet(int(task().spoken.sum()), 10, 8, hidden=16, dim=8)
    critics = Critics(syncnet, VideoEncoder(width=16, layers=1, cubes=MAPS), TFRM(hidden=8, top_k=3))
    judged = Judged.of([case(k) for k in range(3)], [clip(name) for name in ("one", "two", "three")])
    return Shared(folder, task, critics, judged)


@pytest.mark.slow
def test_every_variant_is_trained_once_however_often_it_is_stopped(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out = tmp_path / "cells", tmp_path / "table.md"
    trained: list[str] = []
    train = ablation.train_cell

    class Killed(BaseException):
        pass

    def counted(shared, protocol, variant, seed, folder):
        if len(trained) == 3 and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            raise Killed
        trained.append(variant.name)
        return train(shared, protocol, variant, seed, folder)

    monkeypatch.setattr(ablation, "train_cell", counted)
    with pytest.raises(Killed):
        ablation.compare(shared, PROTOCOL, root, out)
    assert DENOISING.name in out.read_text(), "what is finished can be read on the way"
    ablation.compare(shared, PROTOCOL, root, out)
    assert trained == [variant.name for variant in COMPARED]
    lines = out.read_text().splitlines()
    for variant in COMPARED:
        assert any(line.startswith(f"| {variant.name} | 1 |") for line in lines)
    result = json.loads((folder_of(root, FULL, 0) / "result.json").read_text())
    assert set(result) == {*ablation.MEASURES, "seconds of training"}
    assert all(np.isfinite(value) for value in result.values())
    with pytest.raises(InputError, match="another protocol"):
        ablation.compare(shared, replace(PROTOCOL, steps=2), root, out)
    assert f"{FULL.name} | 1" in out.read_text()


@pytest.mark.slow
def test_what_is_left_out_is_out_in_training_and_in_use(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, tuple[set[str], set[str]]] = {}
    train = ablation.train_denoiser

    def watched(task, data, held_out, folder, how, extra):
        texts = {text for _ in range(8) for text in task.draw(data, 4, 16, torch.Generator()).texts}
        model = train(task, data, held_out, folder, how, extra)
        names = {one.loss.name for one in extra}
        seen[folder.name] = (names, texts)
        return model

    monkeypatch.setattr(ablation, "train_denoiser", watched)
    for number, variant in enumerate(COMPARED):
        model = ablation.train_cell(shared, PROTOCOL, variant, 0, tmp_path / str(number))
        names, texts = seen[str(number)]
        assert names == {n for n in ("sync", "trepa", "tfrm") if getattr(variant, n)}, variant.name
        assert (model.tfrm is not None) == variant.tfrm
        blocks = [module for module in model.unet.modules() if isinstance(module, STDA)]
        assert blocks and all(bool(block.directions) == variant.stda for block in blocks)
        if variant.texts == "none":
            assert texts == {""}
        said = ablation.said_of(variant)(Description("a wide smile", "happy", 1.0))
        assert said == {"descriptions": "a wide smile", "labels": "happy", "none": ""}[variant.texts]


def test_numbers_that_make_no_sense_are_refused() -> None:
    for wrong in (replace(PROTOCOL, steps=0), replace(PROTOCOL, cases=2), replace(PROTOCOL, frames=40)):
        with pytest.raises(InputError):
            wrong.check()
    PROTOCOL.check()
