"""The table of measured captions against labels, on blend shapes whose emotion is known."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from eadnet.captions.measured import Rules, describe_shapes
from experiments import captions as measured

TABLE = json.loads(resources.files("eadnet.captions").joinpath("blendshapes.json").read_text("utf-8"))
CALM = {name: rest for name, (rest, _) in TABLE["shapes"].items()}


def face(share: float, *names: str) -> list[dict[str, float] | None]:
    """Frames of a face with some shapes at a share of their way to full; the second has no face."""
    shapes = dict(CALM)
    for name in names:
        for full in [n for n in shapes if n.startswith(name)]:
            rest, most = TABLE["shapes"][full]
            shapes[full] = rest + share * (most - rest)
    return [shapes, None, shapes]


HAPPY = ("mouthSmile", "eyeSquint")
SURPRISED = ("browInnerUp", "browOuterUp", "eyeWide")


def clips(strong: float = 0.9, faint: float = 0.1) -> dict[Path, list[dict[str, float] | None]]:
    return {
        Path("A_happy.mp4"): face(strong, *HAPPY),
        Path("A_neutral.mp4"): face(faint, *SURPRISED),
        Path("B_surprised.mp4"): face(strong, *SURPRISED),
        Path("B_neutral.mp4"): face(faint, *HAPPY),
        Path("labelled_happy.jpg"): face(strong, *HAPPY),
    }


@pytest.mark.parametrize(
    ("name", "label"),
    [("M030_contempt.mp4", "contemptuous"), ("W009_fear.mp4", "fearful"), ("x.mp4", "unknown")],
)
def test_labels_are_in_the_names(name: str, label: str) -> None:
    assert measured.label_of(Path(name)) == label


def test_the_table_counts_agreement_and_names_the_control() -> None:
    given = clips()
    text = measured.table(list(given), list(given.values()))
    assert "Agreement: 5 of 5; always guessing the commonest label: 40%." in text
    assert "| A_happy | happy | happy | happy |" in text


def test_a_clip_without_a_face_counts_as_missed() -> None:
    given: dict[Path, Any] = {**clips(), Path("C_sad.mp4"): [None, None]}
    text = measured.table(list(given), list(given.values()))
    assert "| C_sad | sad | no face |" in text and "5 of 6" in text


def test_rules_are_chosen_on_the_other_people() -> None:
    # B's calm clips move so much that only a high threshold calls them neutral; A's own need a low one.
    given = {
        Path("A_happy.mp4"): face(0.3, *HAPPY),
        Path("B_neutral.mp4"): face(0.4, *HAPPY),
        Path("C_neutral.mp4"): face(0.4, *HAPPY),
    }
    low, high = Rules(calm=0.05), Rules(calm=2.0)
    rows = measured.held_out(list(given), list(given.values()), (low, high))
    assert rows[0] == ("A", 0, 1, high)


def test_a_persons_own_labels_do_not_choose_their_rules() -> None:
    given = clips()
    renamed = {Path(p.name.replace("happy", "sad")) if p.name[0] == "A" else p: f for p, f in given.items()}
    first = {row[0]: row for row in measured.held_out(list(given), list(given.values()))}
    second = {row[0]: row for row in measured.held_out(list(renamed), list(renamed.values()))}
    assert first["A"][3] == second["A"][3]
    assert first["A"][1] == second["A"][1] + 1


def test_the_held_out_table_sums_up() -> None:
    given = clips()
    text = measured.held_out_table(measured.held_out(list(given), list(given.values())))
    assert "| all | 5 of 5 | |" in text and text.count("\n") == 6


def test_rules_change_what_is_said() -> None:
    smile = face(0.8, *HAPPY)[0]
    faint = face(0.2, *HAPPY)[0]
    assert smile and faint
    units = {u.number for u in describe_shapes(smile, rules=Rules(cheeks=False)).action_units}
    assert 7 in units and 6 not in units
    assert describe_shapes(faint, rules=Rules(calm=0.05)).emotion == "happy"
    assert describe_shapes(faint, rules=Rules(calm=1.0)).emotion == "neutral"


def test_calibration_finds_rest_and_full_and_pools_the_sides() -> None:
    still: list[dict[str, float] | None] = [{"eyeWideLeft": 0.1, "eyeWideRight": 0.1, "jawOpen": 0.0}] * 5
    moving: list[dict[str, float] | None] = [{"eyeWideLeft": 0.9, "eyeWideRight": 0.1, "jawOpen": 0.0}]
    found = measured.calibration([still, still, moving, [None]])
    assert found["eyeWideLeft"] == found["eyeWideRight"] == [0.1, 0.9]
    assert found["jawOpen"] == [0.0, 0.15]


def test_the_command_writes_both_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {path.name: frames for path, frames in clips().items()}
    monkeypatch.setattr(measured, "shapes_of", lambda path, task: given[path.name])
    out = tmp_path / "measured.md"
    measured.main(["table", "face.task", *given, "--out", str(out)])
    text = out.read_text("utf-8")
    assert "| left out | agree |" in text and "| clip | label |" in text
    measured.main(["calibrate", "face.task", *given, "--out", str(out)])
    assert set(json.loads(out.read_text("utf-8"))) == set(CALM)
