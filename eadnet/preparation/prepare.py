"""From a data set's folder to a prepared set: find, part, look, pack; resumed wherever it ended."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, InputError
from ..faces.landmarker import missing
from ..fingerprints import fingerprint
from ..media.locks import try_lock
from ..memory import check_device
from ..rig.expression import PARAMETERS
from .clip import FPS, Rejection, Source
from .features import check_cache
from .layouts import find_sources
from .manifest import ACCEPTED, MANIFEST, check_pyarrow, row_of, write_manifest
from .pool import Hands, OnTask, run_local
from .report import REPORT, write_report
from .settings import NO_SYNC_MODEL, OWN_SYNC_MODEL, Settings, differences
from .shards import (
    SET_FILE,
    SHARDS,
    SPLITS,
    read_set,
    read_shard,
    shard_name,
    write_set,
    write_shard,
    write_text,
)
from .work import PlaceError, segment_id
from .workplace import WORK, Workplace, stamp

ENGINES = ("local", "ray")
TIMES = "times.json"

Found = Sequence[tuple[Source, Rejection | None]]


@dataclass(frozen=True)
class Prepared:
    """What came out: segments by status, why the rejected ones are, and seconds of speech by split."""

    directory: Path
    accepted: int
    rejected: dict[str, int]
    seconds: dict[str, float]
    anew: bool


def prepare(
    directory: Path,
    out: Path,
    settings: Settings,
    *,
    workers: int = 1,
    engine: str = "local",
    address: str | None = None,
    gpus: float = 0.0,
    on_task: OnTask | None = None,
    hands: Hands | None = None,
) -> Prepared:
    """Prepare the videos below ``directory`` and write the set ``out``.

    The result depends on the files and the settings alone: not on ``workers``, the engine, or on how often
    the run was ended and begun again. A finished set is left as it is. ``hands``: what the processes do, for
    tests.

    Raises InputError and CheckpointError, one sentence each: before any work for what is missing, and later
    only where the set cannot be written. Whatever is wrong with a clip is written into the manifest.
    """
    check_pyarrow()
    _check(settings, workers, engine)
    found = find_sources(directory, settings.layout, settings.views)
    told = settings.told()
    key = fingerprint([[source.id, *map(str, stamp(source))] for source, _ in found])
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = try_lock(out / ".lock")
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror}): choose another folder.") from error
    if lock is None:
        raise InputError(f"Another run is preparing {out}: wait for it, or choose another folder.")
    try:
        if (out / SET_FILE).exists():
            _check_finished(out, told, key)
            _remove_work(out)
            return _summed(out, anew=False)
        _begin(out, told)
        _remove_torn(out)
        place = Workplace(out)
        sources = [source for source, rejection in found if rejection is None]
        if engine == "ray":
            from .ray_engine import run_ray

            run_ray(place, sources, settings, workers, on_task, address, gpus, hands)
        else:
            run_local(place, sources, settings, workers, on_task, hands)
        _finish(place, found, settings, told, key)
        _remove_work(out)
        return _summed(out, anew=True)
    except OSError as error:
        raise PlaceError(
            f"{out} cannot be written ({error.strerror or error}): put that right and run the same command "
            "again, it goes on where it stopped."
        ) from error
    finally:
        lock.release()


def _check(settings: Settings, workers: int, engine: str) -> None:
    if engine not in ENGINES:
        raise InputError(f"There is no engine '{engine}': use {' or '.join(ENGINES)}.")
    if not 0 <= workers <= 4096:
        raise InputError(f"The number of workers is {workers}: use 1 or more; 0 is for a debugger.")
    if engine == "ray":
        from .ray_engine import check_ray

        check_ray()
    check_device(settings.device)
    if not settings.faces.is_file():
        raise CheckpointError(missing(settings.faces))
    if settings.sync_model not in (OWN_SYNC_MODEL, NO_SYNC_MODEL) and not Path(settings.sync_model).is_file():
        raise CheckpointError(
            f"There is no SyncNet {settings.sync_model}: give the file of one with --syncnet, or leave it "
            "out."
        )
    if settings.captions is not None and not settings.captions.is_file():
        raise InputError(f"There is no file {settings.captions}: run `eadnet caption` first.")
    if settings.cache is not None:
        check_cache(settings.cache, settings.resolution)


def _begin(out: Path, told: Mapping[str, Any]) -> None:
    """Note the settings of a run, or hold them against those it was begun with."""
    begun = out / WORK / "begun.json"
    if begun.exists():
        before = json.loads(begun.read_text(encoding="utf-8"))
        changed = differences(before, json.loads(json.dumps(told)))
        if not changed:
            return
        if any(begun.parent.rglob("[0-9]" * 5 + ".json")):
            raise InputError(
                f"{out} was begun with other settings ({changed}): use the same ones, or another folder."
            )
        shutil.rmtree(begun.parent)  # nothing was decided yet
    if any(path.name not in (".lock", WORK) for path in out.iterdir()):
        raise InputError(f"{out} holds something else: choose an empty folder.")
    begun.parent.mkdir(exist_ok=True)
    write_text(begun, json.dumps(told))


def _remove_torn(out: Path) -> None:
    """Files that an ended run did not get to give their names."""
    for folder in (out, out / SHARDS):
        for path in folder.glob("*.part"):
            path.unlink(missing_ok=True)


def _check_finished(out: Path, told: Mapping[str, Any], key: str) -> None:
    before = read_set(out)
    if changed := differences(before["settings"], json.loads(json.dumps(told))):
        raise InputError(f"{out} was prepared with other settings ({changed}): choose another folder.")
    if before["sources"] != key:
        raise InputError(
            f"{out} is finished, and its videos are others by now: prepare them into another folder."
        )


def _finish(place: Workplace, found: Found, settings: Settings, told: Mapping[str, Any], key: str) -> None:
    """Shards, manifest, report and, last, set.json: where that is, the set is whole."""
    out = place.directory
    rows, seconds, ordered = _rows(place, found)
    shards = _pack(place, ordered, settings)
    write_manifest(out / MANIFEST, (row for _, _, row in rows), dict(told))
    write_text(out / TIMES, json.dumps(seconds, indent=1) + "\n")
    write_report(out, [row for _, _, row in rows], {source.name: source.path for source, _ in found}, told)
    settings_told = {
        "resolution": settings.resolution,
        "fps": FPS,
        "layout": settings.layout,
        "parameters": list(PARAMETERS),
        "features": None if settings.cache is None else settings.cache.preset,
        "settings": told,
        "sources": key,
    }
    write_set(out, shards, settings_told)


_Row = tuple[Source, int | None, dict[str, Any]]


def _rows(place: Workplace, found: Found) -> tuple[list[_Row], dict[str, dict[str, float]], list[_Row]]:
    """All rows by source and time, processor seconds by stage, and the accepted rows by split."""
    rows: list[_Row] = []
    seconds: dict[str, dict[str, float]] = {}

    def spent(parts: Mapping[str, float]) -> None:
        for name, value in parts.items():
            entry = seconds.setdefault(name, {"seconds": 0.0, "times": 0})
            entry["seconds"] += value
            entry["times"] += 1

    for source, rejection in found:
        plan = None if rejection else place.read_plan(source)
        if rejection is None and plan is not None:
            rejection = plan.rejection
            spent(place.plan_seconds(source))
        if rejection is None and plan is None:
            rejection = Rejection("readable", "it was changed while it was prepared")
        if rejection is not None:
            rows.append((source, None, row_of(source, None, 0, 0, rejection, rejection.facts)))
            continue
        assert plan is not None
        for number, ((first, frames), early) in enumerate(plan.segments):
            if early is not None:
                row = row_of(source, number, first, frames, early, early.facts)
            else:
                entry = place.read_row(source, number)
                if entry is None:
                    raise InputError(f"{source.name} was changed while it was prepared: run it again.")
                row = entry["row"]
                spent(entry["seconds"])
            rows.append((source, number, row))
    accepted = [row for row in rows if row[2]["status"] == ACCEPTED]
    return rows, seconds, sorted(accepted, key=lambda row: SPLITS.index(row[2]["split"]))


def _pack(place: Workplace, accepted: Sequence[_Row], settings: Settings) -> list[dict[str, Any]]:
    """Samples into shards, as full as may be; those that are there already stay. Rows get their shard."""
    out = place.directory
    groups: list[list[_Row]] = []
    size = 0
    for row in accepted:
        source, number, told = row
        assert number is not None
        own = place.part(source, number).stat().st_size
        full = bool(groups) and (
            len(groups[-1]) >= settings.samples_per_shard
            or size + own > settings.bytes_per_shard
            or groups[-1][-1][2]["split"] != told["split"]
        )
        if full or not groups:
            groups.append([])
            size = 0
        groups[-1].append(row)
        size += own
    _same_pack(out, [[told["id"] for _, _, told in group] for group in groups])
    shards = []
    for position, group in enumerate(groups):
        name = shard_name(position)
        path = out / SHARDS / name
        if not path.exists():
            write_shard(path, _samples(place, group))
        for _, _, told in group:
            told["shard"] = name
        shards.append(
            {
                "name": name,
                "split": group[0][2]["split"],
                "samples": len(group),
                "bytes": path.stat().st_size,
            }
        )
    return shards


def _same_pack(out: Path, groups: list[list[str]]) -> None:
    """Throw away shards that an ended run packed from other samples."""
    note, key = out / WORK / "pack.txt", fingerprint(groups)
    if not note.exists() or note.read_text(encoding="utf-8") != key:
        shutil.rmtree(out / SHARDS, ignore_errors=True)
        write_text(note, key)


def _samples(place: Workplace, group: Sequence[_Row]) -> Iterator[tuple[str, dict[str, bytes]]]:
    for source, number, _ in group:
        assert number is not None
        ((_, files),) = read_shard(place.part(source, number))
        yield segment_id(source, number), files


def _remove_work(out: Path) -> None:
    shutil.rmtree(out / WORK, ignore_errors=True)


def _summed(out: Path, anew: bool) -> Prepared:
    from .manifest import read_manifest

    rows = read_manifest(out / MANIFEST, ["status", "stage", "split", "duration_s"])
    accepted = [row for row in rows if row["status"] == ACCEPTED]
    seconds: Counter[str] = Counter()
    for row in accepted:
        seconds[row["split"]] += row["duration_s"]
    rejected = Counter(row["stage"] for row in rows if row["status"] != ACCEPTED)
    return Prepared(out, len(accepted), dict(rejected), dict(seconds), anew)


__all__ = ["ENGINES", "REPORT", "Prepared", "prepare"]
