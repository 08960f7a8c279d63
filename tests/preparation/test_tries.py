"""A piece of work that ends its process twice is given up; the rest goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from eadnet.errors import InputError
from eadnet.preparation.clip import Source
from eadnet.preparation.manifest import read_manifest
from eadnet.preparation.pool import Hands
from eadnet.preparation.prepare import prepare
from eadnet.preparation.settings import Settings
from eadnet.preparation.tries import REASON, look_tried, part_tried
from eadnet.preparation.work import PlaceError, Task
from eadnet.preparation.workplace import Workplace
from tests.preparation.hands import HANDS
from tests.preparation.test_prepare import GOOD, run, videos
from tests.preparation.trees import became, files


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path / "set")


def source(tmp_path: Path, name: str) -> Source:
    (tmp_path / name).write_bytes(b"video")
    return Source(name.replace(".", "-"), tmp_path / name, name, "anna", "train")


class Died(BaseException):
    """The process is gone: nothing catches it."""


def dying(number_of_deaths: list[int], number: int) -> Hands:
    """A process that dies at a segment as often as the list's number says."""

    def look(place: Workplace, task: Task, tools: Any, begin: Callable[[int], object]) -> None:
        def watched(at: int) -> None:
            begin(at)
            if at == number and number_of_deaths[0]:
                number_of_deaths[0] -= 1
                raise Died

        HANDS.look(place, task, tools, watched)

    return replace(HANDS, look=look)


def again_and_again(place: Workplace, task: Task, run: str, hands: Hands) -> int:
    """What Ray does: begin the task anew while its process dies. Returns how often it died."""
    deaths = 0
    while True:
        try:
            look_tried(place, task, "tools", run, hands)
            return deaths
        except Died:
            deaths += 1


def statuses(place: Workplace, task: Task) -> list[str]:
    rows = [place.read_row(task.source, number) for number in task.numbers]
    return [row["row"]["stage"] or row["row"]["status"] for row in rows if row]


@pytest.mark.parametrize(
    ("deaths", "second"), [(0, "accepted"), (1, "accepted"), (2, "worker"), (9, "worker")]
)
def test_a_segment_is_tried_twice_and_then_noted(
    tmp_path: Path, place: Workplace, deaths: int, second: str
) -> None:
    (task,) = part_tried(place, source(tmp_path, "a.mp4"), Settings(), "run", HANDS)
    assert again_and_again(place, task, "run", dying([deaths], 1)) == min(deaths, 2)
    assert statuses(place, task) == ["accepted", second, "accepted"]
    row = place.read_row(task.source, 1)
    assert row is not None and row["row"]["reason"] == (REASON if second == "worker" else "")


def test_a_run_that_was_stopped_does_not_count(tmp_path: Path, place: Workplace) -> None:
    (task,) = part_tried(place, source(tmp_path, "a.mp4"), Settings(), "first", HANDS)
    for number in range(5):
        with pytest.raises(Died):
            look_tried(place, task, "tools", f"run {number}", dying([1], 1))
    look_tried(place, task, "tools", "last", HANDS)
    assert statuses(place, task) == ["accepted"] * 3


def test_faults_of_code_are_tried_and_noted_as_deaths_are(tmp_path: Path, place: Workplace) -> None:
    (task,) = part_tried(place, source(tmp_path, "breaks.mp4"), Settings(), "run", HANDS)
    look_tried(place, task, "tools", "run", HANDS)
    assert statuses(place, task) == ["accepted", "worker", "accepted"]

    def broken(*_: object) -> list[Task]:
        raise RuntimeError("a fault nobody thought of")

    bad = source(tmp_path, "b.mp4")
    assert part_tried(place, bad, Settings(), "run", replace(HANDS, part=broken)) == []
    plan = place.read_plan(bad)
    assert plan is not None and plan.rejection is not None and plan.rejection.stage == "worker"


def test_a_full_disk_is_nobodys_fault_and_ends_the_run(tmp_path: Path, place: Workplace) -> None:
    (task,) = part_tried(place, source(tmp_path, "full.mp4"), Settings(), "run", HANDS)
    with pytest.raises(PlaceError):
        look_tried(place, task, "tools", "run", HANDS)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
def test_a_process_of_rays_that_dies_takes_one_segment_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    (tmp_path / "face_landmarker.task").write_bytes(b"weights")
    settings = Settings(faces=tmp_path / "face_landmarker.task", samples_per_shard=3)
    dead = ("x/dies.mp4", "y/dies parting.mp4", "z/breaks.mp4")
    folder = videos(tmp_path / "data", *GOOD, *dead)
    result = prepare(folder, tmp_path / "ray", settings, workers=2, engine="ray", hands=HANDS)
    what = became(read_manifest(tmp_path / "ray" / "manifest.parquet"))
    assert what["x/dies.mp4"] == what["z/breaks.mp4"] == ["accepted", "worker", "accepted"]
    assert what["y/dies parting.mp4"] == ["worker"] and what["anna/1.mp4"] == ["accepted"] * 3
    assert result.rejected["worker"] == 3
    folder = videos(tmp_path / "sound", *GOOD)
    prepare(folder, tmp_path / "one", settings, workers=2, engine="ray", hands=HANDS)
    run(folder, tmp_path / "two", settings, 2)
    assert list(files(tmp_path / "one")) == list(files(tmp_path / "two"))
    with pytest.raises(InputError, match="free some space"):
        full = videos(tmp_path / "full", "zoe/full.mp4")
        prepare(full, tmp_path / "three", settings, workers=2, engine="ray", hands=HANDS)
