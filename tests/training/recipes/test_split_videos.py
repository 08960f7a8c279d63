"""`eadnet test-videos`: a split of a set, real, made and made with silence, under the segments' ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eadnet.cli import main
from eadnet.errors import InputError
from eadnet.faces.masks import mask_image
from eadnet.media.audio import load_audio
from eadnet.media.video import read_video
from eadnet.training.recipes.adapter import Files, train_adapter
from eadnet.training.recipes.split_videos import MADE, REAL, SILENT, make_test_videos
from tests.training.prepared_world import LONG, SIDE, noise_crops, tiny_preset, write_networks, write_prepared
from tests.training.recipes.test_adapter import HOW


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return write_networks(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prepared(tmp_path_factory.mktemp("made"), noise_crops(4))


@pytest.mark.slow
def test_a_split_is_written_real_made_and_silent_and_goes_on_where_it_stopped(
    files: Files, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = train_adapter(made, tmp_path / "run", files, HOW, tiny_preset())
    words = ["test-videos", str(made), "--out", str(tmp_path / "videos"), "--split", "val", "--most", "2"]
    words += ["--base", str(files.base), "--adapter", str(adapter), "--text", str(files.text)]
    words += ["--vae", str(files.vae), "--whisper", str(files.whisper), "--steps", "2"]
    assert main(words) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "videos")
    names = {folder: sorted((tmp_path / "videos" / folder).iterdir()) for folder in (REAL, MADE, SILENT)}
    assert len(names[REAL]) == 2
    assert [p.name for p in names[REAL]] == [p.name for p in names[MADE]] == [p.name for p in names[SILENT]]

    real, new = (read_video(names[folder][0]).frames for folder in (REAL, MADE))
    assert len(real) == len(new) == LONG
    region = mask_image("lower_face", SIDE)[0].numpy() > 0
    apart = np.abs(np.asarray(real, float) - np.asarray(new, float)).mean((0, 3))
    assert apart[region].mean() > 3 * apart[~region].mean(), "what is not generated is the person's own"
    assert float(load_audio(names[MADE][0])[0].abs().max()) > 0.1
    assert float(load_audio(names[SILENT][0])[0].abs().max()) < 1e-3

    before = {path: path.stat().st_mtime_ns for folder in names for path in names[folder]}
    names[MADE][1].unlink()
    assert main(words) == 0
    after = {path: path.stat().st_mtime_ns for folder in names for path in names[folder]}
    assert {path for path in before if before[path] != after[path]} == {names[MADE][1]}


def test_what_is_missing_is_said(files: Files, made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no split 'test'"):
        make_test_videos(made, tmp_path / "out", files)
    with pytest.raises(InputError, match="give --vae and --whisper"):
        make_test_videos(made, tmp_path / "out", Files(files.base, files.text), split="val")
