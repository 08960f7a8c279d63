"""The list of experiments, and what is answered to a name that is none."""

from __future__ import annotations

import importlib

import pytest

from experiments.__main__ import EXPERIMENTS, main


def test_every_experiment_is_listed_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, (_, words) in EXPERIMENTS.items():
        assert any(line.split()[:1] == [name] and line.endswith(words) for line in lines)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_says_how_it_is_called(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cv2", reason="rendering needs the 'synthetic' extra (opencv-python-headless)")
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(EXPERIMENTS[name][0]).main(["--help"])
    assert ended.value.code == 0
    assert f"usage: python -m experiments {name} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "hint"), [("emotoin", "did you mean emotion?"), ("xyzzy", "Choose one of world")]
)
def test_an_unknown_name_gets_a_hint(name: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name]) == 2
    assert hint in capsys.readouterr().err
