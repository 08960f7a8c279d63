"""What becomes of a video when something goes wrong: killed, cancelled, disk full, two at once. In counts.

    python -m benchmarks.faults --runs 3 --write
    python -m benchmarks.faults --only library

A case is "right" when in the end the video has the bytes of an undisturbed render, "lost" when finished
groups of frames were rendered again, "wrong" when it has other bytes or success was said without a video,
and "left over" when files beside the videos remain. Of a case that is cancelled, the seconds until the render
or the prompt ended count, too. What had ended before the fault came is no case. The library's cases run in
forks of this process, the others on servers.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import resource
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from benchmarks._servers import (
    LONG_NODES,
    Bench,
    add_large,
    graph,
    long_node,
    render,
    render_large,
    rig,
    servers,
)
from eadnet.errors import InputError
from eadnet.media import resumable_video
from eadnet.media.resumable_video import GROUP, count_groups
from eadnet.rendering import Cropper, Model, RenderSettings, load_model, open_scene, render_to_file
from eadnet.rendering.unfinished import FOLDER
from tests.comfy.client import Event, Failed, write_portrait, write_speech
from tests.tiny import write_tiny_checkpoint

PHASES = ("encode", "sample", "TFRM", "decode", "composite", "mux", "finish")
KINDS = ("cases", "right", "lost", "wrong", "left over")
SECONDS = 4.0  # two groups of frames and a part of one
SUCCESS, REFUSED, CANCELLED = 0, 3, 4


@dataclass
class Tally:
    """The counts of one kind of case."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0

    def row(self) -> str:
        counts = " | ".join(str(self.counts[kind]) for kind in KINDS)
        return f"| {self.name} | {counts} | {f'{self.slowest:.2f}' if self.slowest else ''} |"


HEAD = [
    "| what goes wrong | cases | right | lost | wrong | left over | cancelled within (s) |",
    "|---|---:|---:|---:|---:|---:|---:|",
]


class Trap:
    """Counts the calls of every phase; at one of them something happens."""

    def __init__(self, phase: str = "", at: int = 0, act: Callable[[], None] = lambda: None) -> None:
        self.phase, self.at, self.act = phase, at, act
        self.calls: Counter[str] = Counter()
        self.sprung: float | None = None  # when it happened

    def __call__(self, phase: str) -> None:
        self.calls[phase] += 1
        if phase == self.phase and self.calls[phase] == self.at:
            self.sprung = time.monotonic()  # which is one clock for all processes
            self.act()

    def before(self, phase: str, run: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def trapped(batch: Tensor) -> Tensor:
            self(phase)
            return run(batch)

        return trapped


class TrappedCropper:
    """A cropper that passes the trap before it pastes."""

    def __init__(self, cropper: Cropper, trap: Trap) -> None:
        self.resolution = 0
        self._cropper, self._trap = cropper, [trap]

    def crop(self, frames: np.ndarray, numbers: list[int]) -> Tensor:
        return self._cropper.crop(frames, numbers)

    def paste(self, frames: np.ndarray, crops: Tensor, numbers: list[int]) -> np.ndarray:
        self._trap[0]("composite")
        return self._cropper.paste(frames, crops, numbers)


class Library:
    """Renders in forks, so that they can be killed and cost no start."""

    def __init__(self, folder: Path) -> None:
        self.model: Model = load_model(write_tiny_checkpoint(folder / "tiny.safetensors"))
        self.portrait = write_portrait(folder / "portrait.png", (64, 64))
        self.speech = write_speech(folder / "speech.wav", SECONDS)
        self.folder = folder
        self.wholes: dict[int, bytes] = {}
        self.calls: Counter[str] = Counter()

    def prepare(self) -> None:
        """Undisturbed renders, to compare with."""
        for seed in (1, 2):
            out = self.folder / f"whole{seed}.mp4"
            said = self.wait(self.start(out, seed))
            self.wholes[seed], self.calls = out.read_bytes(), Counter(said["calls"])

    def start(self, out: Path, seed: int = 1, trap: Trap | None = None, user: int | None = None) -> int:
        """A render in a process of its own, as this ``user`` where one is given; its id."""
        child = os.fork()
        if child:
            return child
        code, said, trap = SUCCESS, {}, trap or Trap()
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
            if user is not None:  # who may not even read Python: what is imported late is imported before
                self._render(self.folder / f"{os.getpid()}.mp4", seed, Trap())
                os.seteuid(user)
            said = self._render(out, seed, trap)
        except InputError as error:
            code, said = REFUSED, {"error": str(error)}
        except BaseException as error:
            code, said = CANCELLED, {"error": repr(error)}
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            if user is not None:
                os.seteuid(os.getuid())
            said["sprung"] = trap.sprung
            (self.folder / f"{os.getpid()}.json").write_text(json.dumps(said))
            os._exit(code)

    def _render(self, out: Path, seed: int, trap: Trap) -> dict[str, Any]:
        settings = RenderSettings(seed=seed, steps=1, window=8, overlap=2)
        hooks = [("sample", self.model.unet), ("TFRM", self.model.tfrm)]
        for phase, network in hooks:
            assert network is not None
            network.register_forward_pre_hook(lambda *_, phase=phase: trap(phase))
        write = resumable_video._Storage.write

        def written(storage: Any, data: Any) -> int:
            trap("finish" if "whole" in str(storage.name) else "mux")
            return write(storage, data)

        resumable_video._Storage.write = written  # type: ignore[method-assign, assignment]
        with open_scene(self.model, self.speech, "happy", portrait=self.portrait, settings=settings) as scene:
            networks = self.model.networks()
            networks = replace(
                networks,
                encode=trap.before("encode", networks.encode),
                decode=trap.before("decode", networks.decode),
            )
            made = render_to_file(
                out,
                networks,
                replace(scene, cropper=TrappedCropper(scene.cropper, trap)),
                settings.sampling(self.model.checkpoint),
                resume=True,
            )
        return {"continued": made.continued, "calls": trap.calls}

    def wait(self, child: int) -> dict[str, Any]:
        """What a render says at its end, and in how many seconds that came after the trap; nothing but its
        code where it was killed.
        """
        _, status = os.waitpid(child, 0)
        ended = time.monotonic()
        path = self.folder / f"{child}.json"
        said: dict[str, Any] = {"code": os.waitstatus_to_exitcode(status)}
        if path.exists():
            said |= json.loads(path.read_text())
            path.unlink()
        return {**said, "took": 0.0 if said.get("sprung") is None else ended - said["sprung"]}

    def judge(self, tally: Tally, place: Path, films: dict[Path, int], lost: bool = False) -> None:
        """Count one case: the videos (by seed) that ought to be there, and nothing beside them."""
        tally.counts["cases"] += 1
        good = all(path.exists() and path.read_bytes() == self.wholes[seed] for path, seed in films.items())
        tally.counts["right" if good else "wrong"] += 1
        tally.counts["lost"] += lost
        left = {path for path in place.rglob("*") if path.is_file() or path.name == FOLDER}
        tally.counts["left over"] += bool(left - set(films))


def broken_off(library: Library, fault: str, runs: int, rng: random.Random) -> Iterator[Tally]:
    """A render that ends in every phase, and the same under another name."""
    for phase in PHASES:
        tally = Tally(f"{fault} in {phase}")
        for run in range(runs):
            with place_in(library.folder) as place:
                at = rng.randint(1, library.calls[phase])
                first, again = place / "first.mp4", place / f"again {run}.mp4"
                said = library.wait(library.start(first, trap=Trap(phase, at, ACTS[fault])))
                had = max(map(count_groups, (place / FOLDER).glob("*.mp4")), default=0)
                if said["code"] == SUCCESS:  # the fault came to nothing: no case
                    continue
                if fault == "cancel":
                    tally.slowest = max(tally.slowest, said["took"])
                then = library.wait(library.start(again))
                films = {again: 1, **({first: 1} if first.exists() else {})}
                library.judge(tally, place, films, lost=then.get("continued", 0) < had * GROUP)
        yield tally


def _cancel() -> None:
    """As Ctrl-C does, which interrupts the main thread."""
    os.kill(os.getpid(), signal.SIGINT)


def _full() -> None:
    """From now on no file grows."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))


ACTS: dict[str, Callable[[], None]] = {
    "kill -9": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "cancel": _cancel,
    "disk full": _full,
}


@contextmanager
def place_in(folder: Path) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(dir=folder))
    place.chmod(0o755)
    try:
        yield place
    finally:
        place.chmod(0o755)
        shutil.rmtree(place)


def at_once(library: Library, runs: int) -> Iterator[Tally]:
    """Two renders into one folder."""
    for name, seeds in (("two at once, the same video", (1, 1)), ("two at once, two seeds", (1, 2))):
        tally = Tally(name)
        for _ in range(runs):
            with place_in(library.folder) as place:
                films = {place / f"{number}.mp4": seed for number, seed in enumerate(seeds)}
                for child in [library.start(path, seed) for path, seed in films.items()]:
                    library.wait(child)
                library.judge(tally, place, films)
        yield tally


def in_between(library: Library, runs: int, rng: random.Random) -> Tally:
    """Seed 1 is cancelled, seed 2 rendered, seed 1 again, always to the same name."""
    tally = Tally("another seed in between")
    for _ in range(runs):
        with place_in(library.folder) as place:
            out = place / "a.mp4"
            at = rng.randint(library.calls["decode"] // 2, library.calls["decode"])
            library.wait(library.start(out, 1, Trap("decode", at, _cancel)))
            had = max(map(count_groups, (place / FOLDER).glob("*.mp4")), default=0)
            library.wait(library.start(out, 2))
            second = out.read_bytes() == library.wholes[2]
            then = library.wait(library.start(out, 1))
            library.judge(tally, place, {out: 1}, lost=not second or then["continued"] < had * GROUP)
    return tally


def removed_folder(library: Library, runs: int, rng: random.Random) -> Tally:
    """The folder goes while a video is made in it."""
    tally = Tally("folder removed meanwhile")
    for _ in range(runs):
        with place_in(library.folder) as place:
            out = place / "out" / "a.mp4"
            phase = rng.choice(PHASES)
            at = rng.randint(1, library.calls[phase])
            remove = partial(shutil.rmtree, out.parent, ignore_errors=True)
            library.wait(library.start(out, 1, Trap(phase, at, remove)))
            library.judge(tally, place, {out: 1})
    return tally


NOBODY = 65534  # a user without rights; root may write everywhere


def read_only(library: Library) -> Tally:
    """A place that cannot be written is refused before anything is sampled, and nothing is left there."""
    tally = Tally("read-only folder")
    places: list[tuple[str, int | None]] = [("no folder/a.mp4", None)]
    if os.getuid() == 0:
        places += [("locked/a.mp4", NOBODY), ("locked/out/a.mp4", NOBODY)]
    for name, user in places:
        with place_in(library.folder) as place:
            (place / "no folder").write_bytes(b"")
            (place / "locked").mkdir(mode=0o555)
            before = set(place.rglob("*"))
            said = library.wait(library.start(place / name, trap=Trap("sample", 1, _cancel), user=user))
            tally.counts["cases"] += 1
            tally.counts["right" if said["code"] == REFUSED else "wrong"] += 1
            tally.counts["left over"] += set(place.rglob("*")) != before
    return tally


def locked_meanwhile(library: Library, runs: int, rng: random.Random) -> Tally:
    """The folder cannot be written any more while a video is made in it; later it can again."""
    tally = Tally("folder read-only meanwhile")
    for _ in range(runs):
        with place_in(library.folder) as place:
            out = place / "out" / "a.mp4"
            out.parent.mkdir()
            os.chown(out.parent, NOBODY, -1)
            phase = rng.choice(PHASES)
            lock = Trap(phase, rng.randint(1, library.calls[phase]), partial(out.parent.chmod, 0o555))
            said = library.wait(library.start(out, 1, lock, user=NOBODY))
            had = max(map(count_groups, (out.parent / FOLDER).glob("*.mp4")), default=0)
            out.parent.chmod(0o755)
            then = library.wait(library.start(out, 1, user=NOBODY))
            lost = said["code"] != REFUSED or then.get("continued", 0) < had * GROUP
            library.judge(tally, out.parent, {out: 1}, lost=lost)
    return tally


def library_cases(runs: int, rng: random.Random) -> Iterator[Tally]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # for another user, see `read_only`
        library = Library(Path(folder))
        library.prepare()
        for fault in ACTS:
            yield from broken_off(library, fault, runs, rng)
        yield from at_once(library, runs)
        yield in_between(library, runs, rng)
        yield removed_folder(library, runs, rng)
        yield read_only(library)
        if os.getuid() == 0:
            yield locked_meanwhile(library, runs, rng)


def _executes(ids: set[str], event: Event) -> bool:
    """Whether the event says that one of these nodes begins."""
    return event[0] == "executing" and event[1].get("node") in ids


class Press:
    """Presses Cancel a while after an event, and measures until the prompt has ended."""

    def __init__(self, bench: Bench, when: Callable[[Event], bool], delay: float) -> None:
        self.bench, self.when, self.delay = bench, when, delay
        self.pressed = 0.0

    def __call__(self, event: Event) -> None:
        if not self.pressed and self.when(event):
            time.sleep(self.delay)
            self.press()

    def press(self) -> None:
        self.pressed = time.monotonic()
        self.bench.client.interrupt()

    def run(self, workflow: dict) -> float | None:
        """Seconds from Cancel to the end of the prompt; None where it was finished before."""
        try:
            self.bench.client.run(workflow, self)
        except Failed as failed:
            if failed.kind != "execution_interrupted":
                raise
            return time.monotonic() - self.pressed
        return None


class PressAtFile(Press):
    """Presses Cancel a while after a file of that name has appeared in the output folder."""

    def __init__(self, bench: Bench, name: str, delay: float) -> None:
        super().__init__(bench, lambda event: False, delay)
        self._name, self._ended = name, threading.Event()

    def run(self, workflow: dict) -> float | None:
        watch = threading.Thread(target=self._watch)
        watch.start()
        try:
            return super().run(workflow)
        finally:
            self._ended.set()
            watch.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.002):
            if next(self.bench.output.glob(f"*/{self._name}"), None) is not None:
                self._ended.wait(self.delay)
                self.press()
                return


def film(bench: Bench, workflow: dict) -> Path:
    """The video that a prompt made; one of nothing where it made none."""
    made = bench.client.run(workflow)
    names = [item for item in made if item["filename"].endswith(".mp4")]
    if len(names) != 1:
        return bench.output / "none"
    return bench.output / names[0]["subfolder"] / names[0]["filename"]


def judged(tally: Tally, bench: Bench, path: Path, whole: bytes, lost: bool = False) -> None:
    tally.counts["cases"] += 1
    tally.counts["right" if path.is_file() and path.read_bytes() == whole else "wrong"] += 1
    tally.counts["lost"] += lost
    tally.counts["left over"] += any(FOLDER in path.parts or ".part" in path.name for path in bench.files())


def cancelled_node(bench: Bench, runs: int, rng: random.Random) -> Iterator[Tally]:
    """Cancel at any moment of Render Video, and the same again: under a prefix with the time in it."""
    whole = film(bench, render(SECONDS, 7)).read_bytes()
    tally = Tally("server: cancel Render Video, %second% in its prefix")
    for _ in range(runs):
        workflow = render(SECONDS, 7, "late/%hour%-%minute%-%second%")
        share = rng.random()  # of the windows, before it is pressed

        def reached(event: Event, share: float = share) -> bool:
            return event[0] == "progress" and event[1]["value"] >= share * event[1]["max"]

        press = Press(bench, reached, rng.uniform(0, 0.3))
        took = press.run(workflow)
        tally.slowest = max(tally.slowest, took or 0.0)
        judged(tally, bench, film(bench, workflow), whole)
    yield tally


def cancelled_large(bench: Bench, runs: int, rng: random.Random) -> Iterator[Tally]:
    """Cancel while large frames are put together and encoded, and while the file is finished."""
    whole = film(bench, render_large(7, "large/whole")).read_bytes()
    tally = Tally("server: cancel Render Video of 1920 x 1080")
    for _ in range(runs):
        workflow = render_large(7, "large/%second%")
        took = PressAtFile(bench, "*.partial.mp4", rng.uniform(0, 4)).run(workflow)
        tally.slowest = max(tally.slowest, took or 0.0)
        judged(tally, bench, film(bench, workflow), whole)
    yield tally
    whole = film(bench, render(40.0, 8, "finish/whole")).read_bytes()
    tally = Tally("server: cancel while the file is finished")
    for _ in range(runs):
        workflow = render(40.0, 8, "finish/%second%")
        took = PressAtFile(bench, "*.whole.mp4", 0).run(workflow)
        if took is not None:
            tally.slowest = max(tally.slowest, took)
            judged(tally, bench, film(bench, workflow), whole)
    yield tally


def cancelled_phases(bench: Bench, runs: int, rng: random.Random) -> Iterator[Tally]:
    """Cancel while each node of the graph works, and each other one that works long."""

    def single(kind: str, run: int) -> dict:
        workflow = graph(40.0, rng.randint(0, 10**6), text=f"happy {run} {kind}")
        for node in workflow.values():
            if node["class_type"] == kind == "EADNetAudioEncode":
                node["inputs"]["fps"] = 25.0 + rng.random()
        return workflow

    makers: dict[str, Callable[[str, int], dict]] = dict.fromkeys(
        ("EADNetAudioEncode", "EADNetPrepare", "EADNetSampler", "EADNetTFRMSmoother", "VAEDecode"), single
    )
    makers |= dict.fromkeys(LONG_NODES, lambda kind, _: long_node(kind, rng))
    makers["EADNetExpressionFromSpeech"] = lambda *_: rig(40.0, rng.randint(0, 10**6), 25.0)
    makers["EADNetRenderRig"] = lambda *_: rig(4.0, 7, 100 + rng.random())
    for kind, make in makers.items():
        tally = Tally(f"server: cancel {kind}")
        for run in range(runs):
            workflow = make(kind, run)
            ids = {key for key, node in workflow.items() if node["class_type"] == kind}
            press = Press(
                bench,
                partial(_executes, ids),
                rng.uniform(0, 0.5),
            )
            try:
                took = press.run(workflow)
            except Failed as failed:  # of its own accord
                print(failed, flush=True)
                tally.counts.update(("cases", "wrong"))
                continue
            if took is not None:
                tally.counts.update(("cases", "right"))
                tally.slowest = max(tally.slowest, took)
        yield tally


def gone(bench: Bench) -> Tally:
    """The result is deleted or moved, and the same prompt queued again; and with it still there."""
    tally = Tally("server: result deleted, moved, and still there")
    path = film(bench, render(0.4, 3))
    whole = path.read_bytes()
    path.unlink()
    path = film(bench, render(0.4, 3))
    judged(tally, bench, path, whole)
    path.rename(path.with_name("moved.mp4"))
    path = film(bench, render(0.4, 3))
    judged(tally, bench, path, whole)
    before = bench.files()
    film(bench, render(0.4, 3))
    tally.counts["cases"] += 1
    tally.counts["right" if bench.files() == before else "wrong"] += 1
    return tally


def queued_together(benches: list[Bench], name: str, seeds: tuple[int, int]) -> Tally:
    """Two prompts at once: on one server, or on two with one output folder; under one prefix."""
    tally = Tally(name)
    wholes = {seed: film(benches[0], render(SECONDS, seed, "apart/x")).read_bytes() for seed in set(seeds)}
    before = benches[0].files()
    waiting = []
    for number, seed in enumerate(seeds):
        bench = benches[number % len(benches)]
        waiting.append((bench, bench.client.queue(render(SECONDS, seed, "together/x"))))
    for bench, prompt in waiting:
        while prompt not in bench.client.get(f"/history/{prompt}"):
            time.sleep(0.2)
    made = sorted(benches[0].files() - before)
    tally.counts["cases"] += 1
    right = sorted(path.read_bytes() for path in made) == sorted(wholes[seed] for seed in seeds)
    tally.counts["right" if right else "wrong"] += 1
    tally.counts["left over"] += any(FOLDER in path.parts for path in made)
    return tally


def killed_server(folder: Path, runs: int, rng: random.Random) -> Tally:
    """kill -9 of a server in the middle of a render; another one goes on."""
    tally = Tally("server: kill -9, started again")
    for _ in range(runs):
        with servers(folder) as (bench,):
            film(bench, render(SECONDS, 5, "kill/warm"))
            bench.client.queue(render(SECONDS, 6, "kill/%second%"))
            time.sleep(rng.uniform(0.5, 4))
            os.kill(bench.server.pid, signal.SIGKILL)
            had = max((count_groups(path) for path in bench.files() if FOLDER in path.parts), default=0)
        with servers(folder) as (bench,):
            path = film(bench, render(SECONDS, 6, "kill/%second%"))
            whole = film(bench, render(SECONDS, 6, "kill/whole")).read_bytes()
            log = bench.server.log.read_text(encoding="utf-8", errors="replace")
            judged(tally, bench, path, whole, lost=bool(had) and "There is nothing to resume" in log)
    return tally


def server_cases(runs: int, rng: random.Random) -> Iterator[Tally]:
    with tempfile.TemporaryDirectory() as folder:
        with servers(Path(folder), 2) as (one, two):
            yield gone(one)
            yield from cancelled_node(one, runs, rng)
            add_large(one)
            yield from cancelled_phases(one, runs, rng)
            yield from cancelled_large(one, runs, rng)
            yield queued_together([one], "server: two prompts, two seeds", (11, 12))
            yield queued_together([one, two], "two servers, the same video", (13, 13))
            yield queued_together([one, two], "two servers, two seeds", (14, 15))
        yield killed_server(Path(folder), min(runs, 2), rng)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=2, help="of every case, at random moments")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("library", "server"))
    parser.add_argument("--write", action="store_true", help="record the table in benchmarks/results")
    options = parser.parse_args()
    logging.getLogger("eadnet").setLevel(logging.ERROR)  # of what goes wrong on purpose
    rng, lines = random.Random(options.seed), list(HEAD)
    for name, cases in (("library", library_cases), ("server", server_cases)):
        if options.only in (None, name):
            for tally in cases(options.runs, rng):
                lines.append(tally.row())
                print(lines[-1], flush=True)
    if options.write:
        target = Path(__file__).parent / "results" / "faults.md"
        head = f"# Faults\n\nReproduce with `python -m benchmarks.faults --runs {options.runs} --write`.\n\n"
        target.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
