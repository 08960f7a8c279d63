"""The same work on Ray Data: one machine or a cluster, processors for parting and actors for looking.

Sources stream through two operators. Parting (readable, sound, shots) needs a processor for a moment and is
a task; looking at segments needs networks, which an actor loads once and, where there are GPUs, keeps on its
own. Ray Data holds back the first where the second is slow. All processes see the same folders; results go
through them, so what passes between operators is small, and what was done before is passed over.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, InputError
from .clip import Source
from .pool import OnTask
from .settings import Settings
from .tools import Tools, one_thread
from .work import Task, failed, look_at, part_source
from .workplace import Workplace


def check_ray() -> None:
    """Raise InputError where Ray is missing."""
    if find_spec("ray") is None:
        raise InputError("--engine ray needs the package ray: pip install 'ead-net[ray]'.")


def run_ray(
    place: Workplace,
    sources: Sequence[Source],
    settings: Settings,
    workers: int,
    on_task: OnTask | None = None,
    address: str | None = None,
    gpus: float = 0.0,
) -> None:
    """Part all sources and look at all segments on ``workers`` actors, each with ``gpus`` of a GPU.

    ``address`` is that of a cluster; None: this machine. Raises InputError and CheckpointError as the local
    engine does, and where no cluster answers.
    """
    check_ray()
    if not sources:
        return
    import ray

    try:
        ray.init(
            address=address,
            num_cpus=None if address else workers + 1,
            include_dashboard=False,
            log_to_driver=False,
            ignore_reinit_error=True,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(f"No Ray cluster answers at {address}: check --address ({error}).") from error
    try:
        _stream(place, sources, settings, workers, on_task, gpus)
    finally:
        ray.shutdown()
    for source in sources:  # whose tasks were lost with their process
        for task in part_source(place, source, settings):
            for number in task.numbers:
                failed(place, task, number, "the process that prepared it ended")


def _stream(
    place: Workplace,
    sources: Sequence[Source],
    settings: Settings,
    workers: int,
    on_task: OnTask | None,
    gpus: float,
) -> None:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = -1
    context.enable_progress_bars = False
    items = [{"task": to_json(Task(source))} for source in sources]
    dataset = ray.data.from_items(items, override_num_blocks=min(len(items), 10_000))
    parted = dataset.flat_map(_Part(place, settings), num_cpus=1)
    looked = parted.map_batches(
        _Look,
        fn_constructor_args=(place, settings),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
        num_gpus=gpus,
    )
    done = 0
    for row in looked.iter_rows():
        if row["fatal"]:
            raise (CheckpointError if row["kind"] == "CheckpointError" else InputError)(row["fatal"])
        done += row["looked"]
        if on_task:
            on_task(done, done)


class _Part:
    """A source's task to the tasks of its segments."""

    def __init__(self, place: Workplace, settings: Settings) -> None:
        self._place, self._settings = place, settings

    def __call__(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        one_thread()
        try:
            tasks = part_source(self._place, from_json(row["task"]).source, self._settings)
        except (InputError, CheckpointError) as error:
            return [{"task": "", "fatal": str(error), "kind": type(error).__name__}]
        return [{"task": to_json(task), "fatal": "", "kind": ""} for task in tasks]


class _Look:
    """An actor with the networks."""

    def __init__(self, place: Workplace, settings: Settings) -> None:
        one_thread()
        self._place, self._settings = place, settings
        self._tools: Tools | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        looked, fatal, kind = 0, str(batch["fatal"][0]), str(batch["kind"][0])
        if not fatal:
            task = from_json(str(batch["task"][0]))
            try:
                self._tools = self._tools or Tools.load(self._settings)
                look_at(self._place, task, self._tools)
                looked = len(task.numbers)
            except (InputError, CheckpointError) as error:
                fatal, kind = str(error), type(error).__name__
        return {"looked": [looked], "fatal": [fatal], "kind": [kind]}


def to_json(task: Task) -> str:
    """A task as text that travels between machines; any name of a file."""
    source = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in dataclasses.asdict(task.source).items()
    }
    return json.dumps({"source": source, "numbers": task.numbers})


def from_json(text: str) -> Task:
    told = json.loads(text)
    source = told["source"]
    source["path"] = Path(source["path"])
    source["sound"] = None if source["sound"] is None else Path(source["sound"])
    source["spans"] = tuple((start, end) for start, end in source["spans"])
    return Task(Source(**source), tuple(told["numbers"]))
