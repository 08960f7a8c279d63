"""The manifest: a Parquet file with a row for every segment and everything that was decided about it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import InputError
from .clip import FPS, Clip, Rejection, Source
from .shards import FORMAT, VERSION

MANIFEST = "manifest.parquet"
ACCEPTED, REJECTED = "accepted", "rejected"
# Column -> type, "?" where it may be missing; in this order.
COLUMNS: dict[str, str] = {
    "id": "string",
    "source": "string",
    "split": "string",
    "speaker": "string",
    "start_s": "double",
    "duration_s": "double",
    "fps": "double",
    "frames": "int32",
    "status": "string",
    "stage": "string",
    "reason": "string",
    "spoken": "double?",
    "face_px": "double?",
    "yaw_deg": "double?",
    "beyond_edge": "double?",
    "sharpness": "double?",
    "sync_judge": "string",
    "sync_offset_frames": "int32?",
    "sync_confidence": "double?",
    "caption": "string",
    "caption_source": "string",
    "emotion": "string",
    "intensity": "double?",
    "level": "int32?",
    "view": "string",
    "shard": "string",
    "format_version": "int32",
}


def check_pyarrow() -> None:
    """Raise InputError where the package for Parquet is missing."""
    if find_spec("pyarrow") is None:
        raise InputError(
            "The manifest is a Parquet file, which needs the package pyarrow: pip install 'ead-net[prepare]'."
        )


def row_of(
    source: Source,
    number: int | None,
    first: int,
    frames: int,
    outcome: Clip | Rejection,
    facts: dict[str, Any],
) -> dict[str, Any]:
    """A row of a segment; ``number`` None: of a source that was not parted."""
    rejection = outcome if isinstance(outcome, Rejection) else None
    known = {
        "id": source.id if number is None else f"{source.id}-{number:05}",
        "source": source.name,
        "split": source.split,
        "speaker": source.speaker,
        "start_s": first / FPS,
        "duration_s": frames / FPS,
        "fps": float(FPS),
        "frames": frames,
        "status": ACCEPTED if rejection is None else REJECTED,
        "stage": "" if rejection is None else rejection.stage,
        "reason": "" if rejection is None else rejection.reason,
        "emotion": source.emotion,
        "level": source.level,
        "view": source.view,
        "format_version": VERSION,
    }
    row = known | facts
    return {name: _value(row.get(name), kind) for name, kind in COLUMNS.items()}


def _value(value: Any, kind: str) -> Any:
    if kind == "string":
        return "" if value is None else str(value)
    # What lies behind the fourth place differs between machines.
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value


def write_manifest(path: Path, rows: Iterable[dict[str, Any]], settings: dict[str, Any]) -> None:
    """The same rows give the same bytes. The file appears whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"string": pa.string(), "double": pa.float64(), "int32": pa.int32()}
    fields = [
        pa.field(name, types[kind.rstrip("?")], nullable=kind.endswith("?")) for name, kind in COLUMNS.items()
    ]
    told = {"format": FORMAT, "version": str(VERSION), "settings": json.dumps(settings, sort_keys=True)}
    schema = pa.schema(fields, metadata=told)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with pq.ParquetWriter(part, schema, compression="zstd") as writer:
            batch: list[dict[str, Any]] = []
            for row in rows:
                batch.append(row)
                if len(batch) == 10_000:
                    writer.write_table(pa.Table.from_pylist(batch, schema))
                    batch = []
            if batch:
                writer.write_table(pa.Table.from_pylist(batch, schema))
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read_manifest(path: str | os.PathLike[str], columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The rows of a manifest, or some columns of them.

    Raises InputError where there is none, it is damaged, or of another version.
    """
    check_pyarrow()
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    try:
        file = pq.ParquetFile(path)
        told = file.schema_arrow.metadata or {}
        if told.get(b"format") != FORMAT.encode():
            raise InputError(f"{path} is no manifest of a prepared set: choose {MANIFEST}.")
        if told.get(b"version") != str(VERSION).encode():
            version = told.get(b"version", b"?").decode("utf-8", "replace")
            raise InputError(
                f"{path} is of version {version} and this program reads {VERSION}: prepare the set again "
                "into another folder."
            )
        return file.read(columns=None if columns is None else list(columns)).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read ({error}): prepare the set again.") from error
