"""`eadnet evaluate`: one folder in, one report out, nothing guessed, nothing done twice."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eadnet.checkpoints import save_checkpoint
from eadnet.cli import main
from eadnet.errors import InputError
from eadnet.evaluation import folder as module
from eadnet.evaluation.folder import evaluate
from eadnet.media.video import write_video
from eadnet.modules.mini_syncnet import MiniSyncNet
from tests.modules.test_face_api import write_published


def words(page: str) -> str:
    """A page without its pictures."""
    return re.sub(r"base64,[\w+/=]+", "", page).lower()


def write_clip(path: Path, seed: int, frames: int = 20, size: int = 48, sound: bool = True) -> Path:
    random = np.random.default_rng(seed)
    base = random.integers(0, 200, (size, size, 3))
    pictures = np.stack([base + random.integers(0, 50, (size, size, 3)) for _ in range(frames)]).astype(
        np.uint8
    )
    waveform = (
        torch.from_numpy(random.normal(0, 0.1, (1, frames * 640)).astype(np.float32)) if sound else None
    )
    write_video(path, pictures, 25, waveform, 16000 if sound else None)
    return path


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """generated/ and reference/ with three clips, one of them silent; models/ with face-api's; a SyncNet."""
    root = tmp_path_factory.mktemp("evaluate")
    for number in range(3):
        write_clip(root / "generated" / f"clip_{number}.mp4", number, sound=number != 1)
        write_clip(root / "reference" / f"clip_{number}.mp4", number + (number == 2), frames=18)
    (root / "models").mkdir()
    write_published(root / "models", 136, "face_landmark_68_model")
    write_published(root / "models", 7, "face_expression_model")
    (root / "generated" / "labels.json").write_text(json.dumps({"clip_0": "happy", "clip_2": "sad"}))
    torch.manual_seed(0)
    save_checkpoint(root / "syncnet.safetensors", {"syncnet": MiniSyncNet()}, {"preset": "syncnet"})
    return root


@pytest.fixture(scope="module")
def report(folders: Path) -> Path:
    out = folders / "report"
    evaluate(
        folders / "generated", out, folders / "reference", folders / "models", folders / "syncnet.safetensors"
    )
    return out


@pytest.mark.slow
def test_every_metric_that_has_what_it_needs_is_there(report: Path) -> None:
    content = json.loads((report / "report.json").read_text())
    assert set(content["totals"]) == {
        "mini_confidence", "mini_distance", "mini_offset", "psnr", "ssim", "lmd", "mouth_lmd", "expression",
        "jitter", "flicker", "warped",
    }  # fmt: skip
    for total in content["totals"].values():
        assert total["low"] <= total["mean"] <= total["high"]
    assert content["totals"]["psnr"]["count"] == 3 and content["totals"]["mini_confidence"]["count"] == 2


@pytest.mark.slow
def test_what_was_not_computed_is_said_with_the_file_that_is_missing(report: Path) -> None:
    missing = json.loads((report / "report.json").read_text())["not_computed"]
    assert missing["LSE-C, LSE-D, AV offset (syncnet_v2)"] == "file syncnet-v2.safetensors missing"
    assert missing["FID"] == "file inception-fid.safetensors missing"
    assert missing["FVD (VideoMAE)"] == "file videomae/model.safetensors missing"
    assert "file face_landmarker.task missing" in missing["Looking for faces"]
    assert {"FVD (I3D)", "LPIPS", "CSIM"} <= set(missing)


def test_the_table_holds_every_clip_and_its_notes(report: Path) -> None:
    with (report / "clips.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["clip"] for row in rows] == ["clip_0", "clip_1", "clip_2"]
    assert rows[1]["mini_confidence"] == "" and "no audio track" in rows[1]["notes"]
    assert "the first 18 were compared" in rows[0]["notes"]
    assert float(rows[0]["psnr"]) > float(rows[2]["psnr"])  # clip 2 has another clip's reference


def test_the_page_stands_alone(report: Path) -> None:
    page = (report / "index.html").read_text()
    assert page.startswith("<!doctype html>") and "data:image/jpeg;base64," in page and "<svg" in page
    assert not re.search(r'(src|href)="(?!data:)', page) and "nan" not in words(page)


@pytest.mark.slow
def test_finished_clips_are_not_scored_again(
    folders: Path, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[str] = []
    real = module.score_clip

    def noted(path: Path, *rest: Any) -> Any:
        scored.append(path.stem)
        return real(path, *rest)

    monkeypatch.setattr(module, "score_clip", noted)
    before = (report / "report.json").read_text()
    arguments = (folders / "reference", folders / "models", folders / "syncnet.safetensors")
    evaluate(folders / "generated", report, *arguments)
    assert scored == [] and (report / "report.json").read_text() == before
    (report / "clips" / "clip_1.mp4.json").write_text("half a fi")
    evaluate(folders / "generated", report, *arguments)
    assert scored == ["clip_1"] and (report / "report.json").read_text() == before
    evaluate(folders / "generated", report, None, *arguments[1:])
    assert scored == ["clip_1", "clip_0", "clip_1", "clip_2"]  # without a reference, the scores are others


@pytest.mark.slow
def test_an_evaluation_that_was_killed_goes_on_with_the_clip_it_was_at(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[str] = []
    real = module.score_clip

    def killed_at_the_third(path: Path, *rest: Any) -> Any:
        if len(scored) == 2:
            raise SystemExit
        scored.append(path.stem)
        return real(path, *rest)

    arguments = (folders / "generated", tmp_path / "out", folders / "reference")
    monkeypatch.setattr(module, "score_clip", killed_at_the_third)
    with pytest.raises(SystemExit):
        evaluate(*arguments, mini=folders / "syncnet.safetensors")
    assert not (tmp_path / "out" / "report.json").exists()
    scored.clear()
    result = evaluate(*arguments, mini=folders / "syncnet.safetensors")
    assert scored == ["clip_2"] and len(result.clips) == 3
    monkeypatch.undo()
    whole = evaluate(
        folders / "generated", tmp_path / "whole", folders / "reference", mini=folders / "syncnet.safetensors"
    )
    assert (tmp_path / "out" / "clips.csv").read_text() == (tmp_path / "whole" / "clips.csv").read_text()
    assert whole.totals == result.totals


def test_short_broken_and_constant_clips_do_not_stop_the_rest(folders: Path, tmp_path: Path) -> None:
    generated = tmp_path / "generated"
    write_clip(generated / "short.mp4", 0, frames=3)
    (generated / "broken.mp4").write_bytes(b"no video at all")
    noise = torch.randn(1, 12800, generator=torch.Generator().manual_seed(0)) * 0.1
    write_video(generated / "still.mp4", [np.full((32, 32, 3), 90, np.uint8)] * 20, 25, noise, 16000)
    result = evaluate(generated, tmp_path / "out", mini=folders / "syncnet.safetensors")
    clips = {clip.name: clip for clip in result.clips}
    assert clips["broken"].scores == {} and "cannot be read" in clips["broken"].problem
    assert "too short" in clips["short"].notes[0] and "flicker" in clips["short"].scores
    assert "never change" in " ".join(clips["still"].notes)
    for file in ("report.json", "clips.csv", "index.html"):
        assert "nan" not in words((tmp_path / "out" / file).read_text())


def test_folders_without_videos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        evaluate(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(InputError, match="holds no video"):
        evaluate(tmp_path, tmp_path / "out")


def test_the_command_prints_the_table(folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_clip(tmp_path / "generated" / "one.mp4", 5)
    arguments = ["evaluate", str(tmp_path / "generated"), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--mini", str(folders / "syncnet.safetensors")]) == 0
    said = capsys.readouterr().out
    assert "LSE-C (mini)" in said and "FID: not computed" in said and "index.html" in said
