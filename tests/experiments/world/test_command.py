"""The whole evaluation in small: it makes its page, goes on after a kill, and refuses what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="rendering needs the 'synthetic' extra (opencv-python-headless)")
pytest.importorskip("espeakng_loader", reason="speech needs the 'synthetic' extra (espeakng-loader)")

from eadnet.checkpoints import save_checkpoint  # noqa: E402
from eadnet.errors import InputError  # noqa: E402
from eadnet.presets import PRESETS  # noqa: E402
from eadnet.synthetic.datasets import LAYOUT  # noqa: E402
from eadnet.synthetic.expression import EMOTIONS, INDEX, PARAMETERS  # noqa: E402
from experiments.__main__ import main  # noqa: E402
from experiments.world import command, takes  # noqa: E402
from experiments.world.command import WorldSettings, evaluate_world  # noqa: E402
from experiments.world.plan import TAKES  # noqa: E402
from tests.tiny import tiny_components, write_tiny_checkpoint  # noqa: E402


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    info = {**PRESETS["mini"].info(), "latent_rgb": [[0.1] * 3] * 5}
    info["defaults"] = {**info["defaults"], "steps": 1}
    save_checkpoint(path, tiny_components(), info)
    return path


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training set of noise that has two clips of every emotion."""
    folder, rng = tmp_path_factory.mktemp("train"), np.random.default_rng(0)
    count = 2 * len(EMOTIONS)
    np.save(folder / "frames.npy", rng.integers(0, 255, (count, 2, 128, 128, 3), dtype=np.uint8))
    np.save(folder / "references.npy", np.zeros((count, 2, 128, 128, 3), np.uint8))
    params = np.zeros((count, 2, len(PARAMETERS)), np.float32)
    texts = []
    for row, emotion in enumerate(list(EMOTIONS) * 2):
        for name, value in EMOTIONS[emotion].items():
            params[row, :, INDEX[name]] = value * rng.uniform(0.5, 1)
        texts.append({"row": row, "text": emotion, "emotion": emotion, "intensity": 1.0})
    np.save(folder / "params.npy", params)
    np.save(folder / "openings.npy", rng.uniform(0, 0.3, (count, 2)).astype(np.float32))
    np.save(folder / "speech.npy", np.zeros((count, 1280), np.int16))
    (folder / "texts.json").write_text(json.dumps(texts))
    LAYOUT.write(folder)
    return folder


@pytest.mark.slow
def test_a_killed_evaluation_goes_on_and_ends_with_a_page(
    checkpoint: Path, train: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = WorldSettings(
        tmp_path / "out",
        checkpoint=str(checkpoint),
        work=tmp_path / "work",
        train=train,
        count=2,
        frames=16,
        regressor_steps=1,
    )

    class Killed(BaseException):
        pass

    made: list[str] = []
    make = takes.TakeStore._make

    def counted(self: takes.TakeStore, name: str, index: int) -> takes.Take:
        if len(made) == len(TAKES) + 2 and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            raise Killed
        made.append(name)
        return make(self, name, index)

    monkeypatch.setattr(takes.TakeStore, "_make", counted)
    with pytest.raises(Killed):
        evaluate_world(settings)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("0*/*.npz")}
    assert len(kept) == len(TAKES) + 2
    made.clear()
    page = evaluate_world(settings)
    assert len(made) == len(TAKES) - 2, "only what was missing is generated"
    assert all(path.stat().st_mtime_ns == at for path, at in kept.items())
    text = page.read_text()
    for words in ("opening, r with the truth", "lips shut on p, b, m", "jaw_open", "skin_color_red"):
        assert words in text, words
    rows = json.loads((page.parent / "world.json").read_text())
    assert [row["clip"] for row in rows] == [0, 1]
    assert all(row["kept outside"] == 1.0 for row in rows), "pasting leaves the rest of the picture alone"
    assert all(row["mouth, ceiling"] is not None for row in rows)
    assert (page.parent / "world.png").is_file() and (page.parent / "clips.png").is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"world": "train"}, "choose test or validation"),
        ({"count": 1}, "number of clips is 1"),
        ({"frames": 8}, "number of frames is 8"),
        ({"regressor_steps": 0}, "steps is 0"),
        ({"train": Path("nowhere")}, "no rendered clips"),
        ({"recordings": (Path("gone.wav"),)}, "no recording gone.wav"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_once(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate_world(WorldSettings(tmp_path / "out", work=tmp_path / "work", **changes))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_models_of_another_size_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = write_tiny_checkpoint(tmp_path / "small.safetensors")
    words = ["--checkpoint", str(small), "--work", str(tmp_path / "w"), "--out", str(tmp_path / "o")]
    assert main(["world", *words]) == 2
    assert "resolution of 32" in capsys.readouterr().err


def test_takes_of_another_checkpoint_or_setting_have_another_name(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"1")
    b.write_bytes(b"2")
    names = {command.digest(a, 8), command.digest(b, 8), command.digest(a, 9)}
    assert len(names) == 3 and command.digest(a, 8) in names
