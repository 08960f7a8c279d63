"""Rendered data sets: whole, deterministic, and able to go on after an interruption."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("cv2", reason="rendering needs the 'synthetic' extra (opencv-python-headless)")
pytest.importorskip("espeakng_loader", reason="speech needs the 'synthetic' extra (espeakng-loader)")

from eadnet.dataset_format import MOMENTS_PER_STILL_PERSON
from eadnet.errors import InputError  # noqa: E402
from eadnet.synthetic.clips import described  # noqa: E402
from eadnet.synthetic.datasets import (  # noqa: E402
    LAYOUT,
    DatasetShape,
    render_dataset,
    seeds_of,
)
from eadnet.synthetic.expression import HEAD_POSE, INDEX, RANGES  # noqa: E402
from eadnet.synthetic.stills import render_stills  # noqa: E402
from eadnet.training.data.clips import ClipSet, StillSet, labels_of

SHAPE = DatasetShape(clips=2, frames=6, size=32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("world") / "train"
    render_dataset(path, "train", SHAPE, first_seed=3)
    return path


def test_every_row_is_filled_and_described(folder):
    clips = ClipSet(folder)
    assert clips.frames.shape == (2, 6, 32, 32, 3)
    assert clips.references.shape == (2, 2, 32, 32, 3)
    assert all(clips.frames[i].std() > 10 and clips.references[i].std() > 10 for i in range(2))
    assert all(entry["text"] for entry in clips.texts)
    assert clips.layout == LAYOUT and len(clips) == 2
    assert clips.speech.shape == (2, 6 * 640)


def test_it_is_known_which_seeds_the_rows_are(folder):
    assert seeds_of(json.loads((folder / "made_with.json").read_text())) == [3, 4]


@pytest.mark.slow
def test_an_interrupted_rendering_ends_with_the_same_files(folder, tmp_path):
    render_dataset(tmp_path, "train", SHAPE, first_seed=3)
    first = (tmp_path / "rows.jsonl").read_text().splitlines()[0]
    (tmp_path / "rows.jsonl").write_text(first + "\n")
    lost = 1 - json.loads(first)["row"]
    np.load(tmp_path / "frames.npy", mmap_mode="r+")[lost] = 0
    render_dataset(tmp_path, "train", SHAPE, first_seed=3)
    for name in ("frames", "references", "params", "openings", "speech"):
        assert np.array_equal(np.load(tmp_path / f"{name}.npy"), np.load(folder / f"{name}.npy")), name
    assert (tmp_path / "texts.json").read_text() == (folder / "texts.json").read_text()


def test_references_are_calm_first_and_other_than_the_clip():
    from eadnet.synthetic.datasets import _held_head, _other_moments

    rng = np.random.default_rng(0)
    calm, other = _other_moments(rng)
    assert calm[INDEX["jaw_open"]] == 0
    assert not np.array_equal(calm, other)
    held = _held_head(rng.normal(size=(5, len(INDEX))).astype(np.float32), rng)
    assert all(np.ptp(held[:, INDEX[part]]) == 0 for part in HEAD_POSE)


@pytest.mark.slow
def test_a_share_of_the_clips_changes_its_feeling_on_the_way(tmp_path):
    render_dataset(tmp_path, "train", SHAPE, first_seed=3, changing=1.0)
    changes, texts = np.load(tmp_path / "changes.npy"), json.loads((tmp_path / "texts.json").read_text())
    assert changes.shape == (2, 6) and np.all(np.diff(changes, axis=1) >= 0)
    assert all(entry["later"] and entry["later"] != entry["text"] for entry in texts)


def test_without_that_share_nothing_changes(folder):
    assert not (folder / "changes.npy").exists()
    assert not any("later" in entry for entry in ClipSet(folder).texts)


@pytest.mark.slow
def test_a_set_of_one_kind_holds_the_clips_of_its_seeds(tmp_path):
    render_dataset(tmp_path, "train", SHAPE, first_seed=3, kind="features")
    settings = json.loads((tmp_path / "made_with.json").read_text())
    seeds = seeds_of(settings)
    assert len(seeds) == SHAPE.clips and all(described(seed, "train").kind == "features" for seed in seeds)
    assert [entry["text"] for entry in ClipSet(tmp_path).texts] == [described(s, "train").text for s in seeds]


def test_a_kind_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(InputError, match="emotion, word, features"):
        render_dataset(tmp_path, "train", SHAPE, kind="feature")


def test_a_set_of_faces_that_show_one_of_two_actions():
    settings = {"split": "train", "first_seed": 0, "clips": 4, "apart": ["lid_tighten", "cheek_raise"]}
    faces = [described(seed, "train").parameters for seed in seeds_of({**settings, "kind": "features"})]
    lids, cheeks = (["lid_tighten_l" in face for face in faces], ["cheek_raise_l" in face for face in faces])
    assert len(faces) == 4 and all(a != b for a, b in zip(lids, cheeks, strict=True))


def test_an_action_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(InputError, match="facial action 'eyes'"):
        render_dataset(tmp_path, "train", SHAPE, apart=("eyes", "cheek_raise"))


@pytest.mark.slow
def test_stills_come_with_their_truth_and_the_calm_person(tmp_path):
    render_stills(tmp_path, 3, size=32, first_seed=5)
    stills = StillSet(tmp_path)
    assert stills.stills.shape == (3 * MOMENTS_PER_STILL_PERSON, 32, 32, 3) and len(stills) == len(
        labels_of(stills).params
    )
    assert stills.calm.shape == (3, 32, 32, 3)
    assert np.all(labels_of(stills).params >= RANGES[:, 0]) and np.all(
        labels_of(stills).params <= RANGES[:, 1]
    )
    assert np.ptp(labels_of(stills).openings) > 0
    render_stills(tmp_path / "again", 1, size=32, first_seed=6)
    again = StillSet(tmp_path / "again")
    own = slice(MOMENTS_PER_STILL_PERSON, 2 * MOMENTS_PER_STILL_PERSON)
    assert np.array_equal(again.stills, stills.stills[own])
    assert np.array_equal(again.calm[0], stills.calm[1])
