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
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..errors import CheckpointError, InputError
from .clip import Source
from .pool import Hands, OnTask
from .settings import Settings
from .tools import one_thread
from .tries import look_tried, part_tried
from .work import Task, failed
from .workplace import Workplace

_ROUNDS = 3  # through what is left


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
    hands: Hands | None = None,
) -> None:
    """Part all sources and look at all segments on ``workers`` actors, each with ``gpus`` of a GPU.

    ``address`` is that of a cluster; None: this machine. ``hands``: what processes do, for tests. Raises
    InputError and CheckpointError as the local engine does, and where no cluster answers.
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
    hands = hands or Hands()
    steps = _Steps(place, settings, uuid4().hex, hands)
    left: Sequence[Source] = sources
    try:
        for _ in range(_ROUNDS):
            _stream(left, steps, workers, on_task, gpus)
            # Whose blocks were lost, with a machine, say.
            left = [source for source in left if hands.part(place, source, settings)]
            if not left:
                return
    finally:
        ray.shutdown()
    for source in left:
        for task in hands.part(place, source, settings):
            for number in task.numbers:
                failed(place, task, number, "the process that prepared it ended")


@dataclass(frozen=True)
class _Steps:
    """What all processes are told."""

    place: Workplace
    settings: Settings
    run: str
    hands: Hands


def _stream(
    sources: Sequence[Source], steps: _Steps, workers: int, on_task: OnTask | None, gpus: float
) -> None:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = -1
    context.enable_progress_bars = False
    items = [{"task": to_json(Task(source))} for source in sources]
    dataset = ray.data.from_items(items, override_num_blocks=min(len(items), 10_000))
    parted = dataset.flat_map(_Part(steps), num_cpus=1)
    looked = parted.map_batches(
        _Look,
        fn_constructor_args=(steps,),
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

    def __init__(self, steps: _Steps) -> None:
        self._steps = steps

    def __call__(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        one_thread()
        try:
            steps = self._steps
            source = from_json(row["task"]).source
            tasks = part_tried(steps.place, source, steps.settings, steps.run, steps.hands)
        except (InputError, CheckpointError) as error:
            return [{"task": "", "fatal": str(error), "kind": type(error).__name__}]
        return [{"task": to_json(task), "fatal": "", "kind": ""} for task in tasks]


class _Look:
    """An actor with the networks."""

    def __init__(self, steps: _Steps) -> None:
        one_thread()
        self._steps = steps
        self._tools: Any = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        looked, fatal, kind = 0, str(batch["fatal"][0]), str(batch["kind"][0])
        if not fatal:
            task = from_json(str(batch["task"][0]))
            try:
                steps = self._steps
                self._tools = self._tools or steps.hands.load(steps.settings)
                look_tried(steps.place, task, self._tools, steps.run, steps.hands)
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
