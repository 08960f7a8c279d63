"""The recipe `motion` on a set: it learns the set's own parameters, and nothing but the U-Net changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.checkpoints import load_checkpoint, named_checkpoint
from eadnet.errors import InputError
from eadnet.preparation.shards import Sample, ShardWriter
from eadnet.rig.expression import INDEX, PARAMETERS
from eadnet.training.data.real_motion import PIECE, RealMotion
from eadnet.training.recipes import real_motion
from eadnet.training.recipes.real_motion import finetune_motion
from eadnet.training.tasks import denoiser

FRAMES = PIECE + 10


def sample(number: int, split: str) -> Sample:
    rng = np.random.default_rng(number)
    params = torch.zeros(FRAMES, len(PARAMETERS))
    params[:, INDEX["jaw_open"]] = torch.linspace(0, 1, FRAMES)
    params[:, INDEX["smile_l"]] = 0.1 * number
    record = {"split": split, "speaker": f"p{number}", "caption": "happy", "frames": FRAMES, "fps": 25}
    sound = rng.uniform(-0.3, 0.3, FRAMES * 640).astype(np.float32)
    return Sample(f"s{number}", record, b"", sound, {"parameters": params}, PARAMETERS)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    with ShardWriter(tmp_path / "set") as writer:
        for number, split in enumerate(("train", "train", "val")):
            writer.add(sample(number, split))
    return tmp_path / "set"


@pytest.fixture(scope="module")
def encoder() -> torch.nn.Module:
    return load_checkpoint(named_checkpoint("motion"), only=["audio_encoder"]).component("audio_encoder")


def test_takes_are_what_was_done_with_the_sound_and_sentence_of_it(directory: Path, encoder) -> None:
    data = RealMotion(directory, ["train"], PARAMETERS, encoder)
    assert len(data) == 4 and data.speakers == {"p0", "p1"}  # two pieces of each, the second overlaps
    (take,) = data.perform(torch.tensor([3]), torch.tensor([5]), 16, np.random.default_rng(0))
    first = FRAMES - PIECE + 5
    jaw = torch.linspace(0, 1, FRAMES)[first : first + 16]
    assert np.allclose(take.params[:, INDEX["jaw_open"]], jaw)
    assert np.allclose(take.params[:, INDEX["smile_l"]], 0.1) and take.text == take.later == "happy"
    whole = encoder.all_rows(torch.from_numpy(sample(1, "train").sound))[:, 0]
    heard = whole[2 * (FRAMES - PIECE) :][:PIECE]  # towards the end silence is heard, too
    assert torch.allclose(data.audio[3, :PIECE].float(), heard, atol=0.02)  # the set keeps 16 bits


def test_records_can_be_picked_and_the_rest_is_no_longer_there(directory: Path, encoder) -> None:
    data = RealMotion(
        directory, ["train", "val"], PARAMETERS, encoder, lambda record: record["speaker"] != "p0"
    )
    assert data.speakers == {"p1", "p2"}
    with pytest.raises(InputError, match="no segment of 64 frames is left"):
        RealMotion(directory, ["train"], PARAMETERS, encoder, lambda record: False)


def test_mouths_are_put_on_one_scale_person_by_person_and_the_rest_stays(directory: Path, encoder) -> None:
    data = RealMotion(directory, ["train", "val"], PARAMETERS, encoder)
    data.params[..., INDEX["lip_close"]] = 0.3 + 0.001 * torch.rand(data.params.shape[:2])  # it is noise
    data.params[:2, :, INDEX["jaw_open"]] /= 4  # one of them hardly opens the mouth
    before = data.params.clone()
    data.rescale(
        ("jaw_open", "lip_close"), torch.full((len(PARAMETERS),), 0.4), torch.full((len(PARAMETERS),), 0.1)
    )
    jaw, old = data.params[..., INDEX["jaw_open"]], before[..., INDEX["jaw_open"]]
    for rows in (slice(0, 2), slice(2, 4), slice(4, 6)):
        assert (
            float(jaw[rows].mean()) == pytest.approx(0.4, abs=0.02) and 0.08 < float(jaw[rows].std()) < 0.17
        )
        assert np.corrcoef(jaw[rows].flatten(), old[rows].flatten())[0, 1] > 0.99
    others = [column for column, name in enumerate(PARAMETERS) if name != "jaw_open"]
    assert torch.equal(data.params[..., others], before[..., others])


def test_what_never_moves_in_a_set_is_not_shown(directory: Path, encoder) -> None:
    assert RealMotion(directory, ["train"], PARAMETERS, encoder).shown == ("smile_l", "jaw_open")


def test_a_set_of_other_parameters_is_refused(tmp_path: Path, encoder) -> None:
    with ShardWriter(tmp_path / "set") as writer:
        writer.add(replace(sample(0, "train"), names=("other",) * len(PARAMETERS)))
    with pytest.raises(InputError, match="s0 has no facial parameter .*: prepare the set again"):
        RealMotion(tmp_path / "set", ["train"], PARAMETERS, encoder)


class Went(BaseException):
    pass


@pytest.mark.slow
def test_a_state_is_of_one_start_set_seed_and_number_of_frames(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def stop(*_: object, identity: dict[str, object]) -> None:
        seen.append(identity)
        raise Went

    monkeypatch.setattr(real_motion, "train_denoiser", stop)
    with ShardWriter(tmp_path / "other") as writer:
        for number, split in enumerate(("train", "val")):
            writer.add(sample(number, split))
    for place, seed, frames in ((directory, 0, 48), (directory, 0, 48), (tmp_path / "other", 1, 96)):
        with pytest.raises(Went):
            finetune_motion(place, tmp_path / "out", seed=seed, frames=frames)
    first, same, changed = seen
    assert first == same and first["recipe"] == "motion" and first["starting checkpoint"]
    assert {name for name in first if first[name] != changed[name]} == {"set", "seed", "frames"}


@pytest.mark.slow
def test_without_anyone_held_out_nothing_is_measured(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ShardWriter(tmp_path / "set") as writer:
        writer.add(sample(0, "train"))
    made = finetune_motion(tmp_path / "set", tmp_path / "out", steps=1, frames=48)
    assert made.is_file() and "about one speaker in twenty becomes val" in caplog.text
    columns = (tmp_path / "out" / "log.csv").read_text().splitlines()[0]
    assert "loss" in columns and "held_out" not in columns
    with pytest.raises(InputError, match="of a run with seed 0, not 1"):
        finetune_motion(tmp_path / "set", tmp_path / "out", steps=1, frames=48, seed=1)


@pytest.mark.parametrize(("learn", "names"), [("mouth", {"jaw_open"}), ("all", {"jaw_open", "smile_l"})])
def test_the_mouth_learns_or_all_that_moves_in_two_passes(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, learn: str, names: set[str]
) -> None:
    def stop(task, data, watched, folder, how, identity) -> None:
        cells = task.codec.cells(names) > 0
        assert torch.equal(task.weight > 0, cells)
        assert how.steps == 6, "twice four pieces of 64 frames, 96 in a step"
        assert (float(data.params[..., INDEX["jaw_open"]].max()) < 1) == (learn == "mouth")
        raise Went

    monkeypatch.setattr(real_motion, "train_denoiser", stop)
    with pytest.raises(Went):
        finetune_motion(directory, tmp_path / "out", learn=learn, frames=96)
    with pytest.raises(InputError, match="no part to learn"):
        finetune_motion(directory, tmp_path / "out", learn="ears")


def test_a_checkpoint_of_another_preset_is_refused(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a checkpoint of mini, not of motion"):
        finetune_motion(directory, tmp_path / "out", start="mini")


@pytest.mark.slow
def test_the_u_net_alone_learns_and_the_result_is_a_motion_checkpoint(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denoiser, "EVALUATED_CLIPS", 2)
    made = finetune_motion(directory, tmp_path / "out", steps=2, frames=48)
    before, after = load_checkpoint(named_checkpoint("motion")), load_checkpoint(made)
    assert after.preset == "motion" and after.info["training"]["people"] == 2
    for name in before.components:
        old, new = (one.component(name).state_dict() for one in (before, after))
        same = all(torch.equal(old[key], new[key]) for key in old)
        assert same == (name != "unet"), name
