"""Trackers get what log.csv gets: read back from the files that each of them writes."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eadnet.errors import InputError
from eadnet.training import processes
from eadnet.training.on_set import OnSet
from tests.in_comfy import ROOT
from tests.training.prepared_world import noise_crops, write_networks, write_prepared

HOW = OnSet(steps=4, batch=1, window=8, validate_every=2, held_out=1, save_every=2, log_every=1, cpu=True)
Rows = dict[int, dict[str, float]]
"""Numbers by step and name."""


def of_tensorboard(out: Path) -> Rows:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found: Rows = {}
    for folder in {path.parent for path in out.rglob("events.out.tfevents.*")}:
        events = reader.EventAccumulator(str(folder))
        events.Reload()
        for name in events.Tags()["scalars"]:
            for event in events.Scalars(name):
                found.setdefault(event.step, {})[name] = event.value
    return found


def of_wandb(out: Path) -> Rows:
    messages = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    found: Rows = {}
    for path in out.glob("wandb/offline-run-*/run-*.wandb"):
        for data in leveldb_records(path.read_bytes()[7:]):
            record = messages.Record()
            record.ParseFromString(data)
            if record.WhichOneof("record_type") == "history":
                values = {
                    item.key or ".".join(item.nested_key): json.loads(item.value_json)
                    for item in record.history.item
                }
                found.setdefault(int(values.pop("_step")), {}).update(values)
    return found


def leveldb_records(data: bytes) -> Iterator[bytes]:
    """Of LevelDB's log format, after wandb's own seven bytes: blocks of 32 kB, in them pieces of records with
    a checksum, a length and a kind (1 whole, 2 first, 3 middle, 4 last).
    """
    whole, at = b"", 0
    while at + 7 <= len(data):
        left = 32768 - (at + 7) % 32768  # the first block has wandb's bytes, too
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""


def of_trackio(out: Path) -> Rows:
    found: Rows = {}
    for path in (out.parent / "trackio").rglob("*.db"):
        with sqlite3.connect(path) as base:
            for step, numbers in base.execute("SELECT step, metrics FROM metrics"):
                found.setdefault(step, {}).update(json.loads(numbers))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "read"), [("tensorboard", of_tensorboard), ("wandb", of_wandb), ("trackio", of_trackio)]
)
def test_a_tracker_has_the_numbers_of_the_log(
    name: str, read: Callable[[Path], Rows], tmp_path: Path
) -> None:
    pytest.importorskip(name, reason=f"{name} is not installed")
    write_networks(tmp_path / "networks")
    made = write_prepared(tmp_path / "made", noise_crops(4))
    out = tmp_path / "out"
    (tmp_path / "elsewhere").mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "WANDB_MODE": "offline",
        "TRACKIO_DIR": str(tmp_path / "trackio"),
        "HF_HUB_OFFLINE": "1",
    }
    script = str(ROOT / "tests" / "training" / "recipes" / "train_tiny.py")
    how = json.dumps(vars(replace(HOW, trackers=name)))
    words = [sys.executable, script, str(tmp_path / "networks"), str(made), str(out), how]
    subprocess.run(words, cwd=tmp_path / "elsewhere", env=environment, check=True)
    with (out / "log.csv").open() as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    found = read(out)
    assert len(rows) == HOW.steps and sorted(found) == [row["step"] for row in rows]
    for row in rows:
        assert {"loss", "norm", "held_out"} <= found[int(row["step"])].keys()
        for column in ("loss", "norm", "held_out"):
            assert found[int(row["step"])][column] == pytest.approx(row[column], rel=1e-5)
    assert not list((tmp_path / "elsewhere").iterdir()), "nothing is written where the command was run"


def test_a_tracker_that_does_not_start_is_said_in_a_sentence(tmp_path: Path) -> None:
    def refuse(project: str, init_kwargs: dict[str, Any]) -> None:
        raise RuntimeError("No API key configured.")

    accelerator: Any = SimpleNamespace(init_trackers=refuse)
    with pytest.raises(
        InputError, match=r"No API key configured\. Put .*WANDB_MODE=offline.* leave --trackers"
    ):
        processes._start_trackers(accelerator, ["wandb"], tmp_path / "out")


def test_a_tracker_that_there_is_not_is_refused_with_the_nearest_that_there_is() -> None:
    with pytest.raises(InputError, match="no tracker 'tensorbord': did you mean tensorboard?"):
        processes.make_accelerator(trackers="wandb, tensorbord", cpu=True)
