"""Clips become videos, a captioner describes them, and training reads what it said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from eadnet.captions.dataset import caption_folder
from eadnet.captions.template import TemplateCaptioner
from eadnet.dataset_format import CAPTIONS
from eadnet.errors import InputError
from eadnet.synthetic.datasets import LAYOUT, DatasetShape, arrays_of
from eadnet.training.data.clips import ClipSet, clip_name, read_texts
from eadnet.training.data.latents import LatentSet
from eadnet.training.data.videos import main, write_videos

SHAPE = DatasetShape(clips=3, frames=5, size=32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of noise."""
    rng, path = np.random.default_rng(0), tmp_path / "train"
    path.mkdir()
    for name, (dtype, size) in arrays_of(SHAPE).items():
        np.save(path / f"{name}.npy", rng.integers(0, 200, size).astype(dtype))
    rows = [{"row": i, "text": "grammar", "emotion": "happy", "intensity": 0.7} for i in range(SHAPE.clips)]
    (path / "texts.json").write_text(json.dumps(rows))
    LAYOUT.write(path)
    return path


def test_every_row_becomes_a_video_once(folder: Path, tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    main([str(folder), str(videos)])
    assert sorted(p.name for p in videos.iterdir()) == [clip_name(i) for i in range(3)]
    assert write_videos(ClipSet(folder), videos) == 0


def test_training_reads_the_captions_and_keeps_the_truth(folder: Path, tmp_path: Path) -> None:
    assert {entry["text"] for entry in ClipSet(folder).texts} == {"grammar"}
    write_videos(ClipSet(folder), tmp_path / "videos")
    caption_folder(tmp_path / "videos", folder / CAPTIONS, TemplateCaptioner("angry", 0.9))
    said = json.loads((folder / CAPTIONS).read_text("utf-8").splitlines()[0])["text"]
    texts = ClipSet(folder).texts
    assert [entry["text"] for entry in texts] == [said] * 3 and said != "grammar"
    assert {(entry["emotion"], entry["intensity"]) for entry in texts} == {("happy", 0.7)}
    latents = tmp_path / "latents"
    latents.mkdir()
    for name in ("target", "masked", "reference"):
        np.save(latents / f"{name}.npy", np.zeros((3, 2, 4, 4, 4), np.float16))
    assert [entry["text"] for entry in LatentSet(latents, folder).texts] == [said] * 3


def test_a_row_without_caption_is_an_error_that_names_it(folder: Path, tmp_path: Path) -> None:
    write_videos(ClipSet(folder), tmp_path / "videos")
    (tmp_path / "videos" / clip_name(1)).unlink()
    caption_folder(tmp_path / "videos", folder / CAPTIONS, TemplateCaptioner("sad", 0.5))
    with pytest.raises(
        InputError, match=f"1 of 3 clips have no caption in {CAPTIONS} .such as {clip_name(1)}"
    ):
        read_texts(folder)
