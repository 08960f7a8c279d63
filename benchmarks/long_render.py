"""Peak memory and temporary disk of whole renders of different lengths, each in a process of its own.

    python -m benchmarks.long_render --seconds 60 600 --steps 1 --write

The sound is the bundled recording, again and again. What is measured does not depend on the number of steps
beyond the few windows that are held at a time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import av
import torch

from eadnet.media.audio import load_audio
from eadnet.rendering.unfinished import FOLDER

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "eadnet" / "assets"


def recording(path: Path, seconds: float) -> None:
    """The bundled speech, repeated, as 16-bit WAV."""
    from scipy.io import wavfile

    waveform, rate = load_audio(ASSETS / "speech.wav")
    count = round(seconds * rate)
    repeated = waveform[0].repeat(-(-count // waveform.shape[1]))[:count]
    wavfile.write(path, rate, (repeated * 32767).to(torch.int16).numpy())


def disk_used(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total


def render(folder: Path, seconds: float, options: list[str]) -> dict[str, float]:
    """Run the command and watch it from outside."""
    sound, out = folder / "sound.wav", folder / "out.mp4"
    recording(sound, seconds)
    before = disk_used(folder)
    command = [sys.executable, "-m", "eadnet", "generate", "--portrait", str(ASSETS / "portrait.png")]
    command += ["--audio", str(sound), "--emotion", "happy", "--out", str(out), *options]
    started, most, done = time.monotonic(), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.5):
            most = max(most, disk_used(folder) - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "TMPDIR": str(folder)})
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    done.set()
    watcher.join()
    assert child.returncode == 0 and not (folder / FOLDER).exists()
    with av.open(str(out)) as video:
        frames = video.streams.video[0].frames
        ends = [float((stream.duration or 0) * (stream.time_base or 0)) for stream in video.streams]
    return {
        "seconds": seconds,
        "frames": frames,
        "expected": round(seconds * 25),
        "gap_ms": 1000 * abs(ends[0] - ends[1]),
        "peak_mib": usage.ru_maxrss / 1024,
        "disk_mib": most / 2**20,
        "video_mib": out.stat().st_size / 2**20,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "wall_s": time.monotonic() - started,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long_render", description=__doc__)
    parser.add_argument("--seconds", type=float, nargs="+", default=[10, 30])
    parser.add_argument("--steps", default="1")
    parser.add_argument(
        "--guidance", default="1", help="of sound and emotion; 1 is none and a third of the work"
    )
    parser.add_argument("--overlap", default="4")
    parser.add_argument("--write", action="store_true", help="record the table in benchmarks/results")
    options = parser.parse_args()
    given = ["--steps", options.steps, "--overlap", options.overlap]
    given += ["--audio-guidance", options.guidance, "--emotion-guidance", options.guidance]
    rows = []
    for seconds in options.seconds:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(render(Path(folder), seconds, given))
            print(rows[-1], flush=True)
    lines = [
        f"mini, 128 pixels, portrait, `{' '.join(given)}`, {torch.get_num_threads()} thread(s).",
        "",
        "| sound (s) | frames (expected) | picture and sound end apart (ms) | peak memory (MiB) "
        "| temporary disk (MiB) | video (MiB) | processor (s) | wall (s) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['seconds']:g} | {r['frames']} ({r['expected']}) | {r['gap_ms']:.0f} | {r['peak_mib']:.0f} "
        f"| {r['disk_mib']:.0f} | {r['video_mib']:.1f} | {r['cpu_s']:.0f} | {r['wall_s']:.0f} |"
        for r in rows
    ]
    text = "\n".join(lines)
    print(text)
    if options.write:
        target = Path(__file__).parent / "results" / "long_render.md"
        target.write_text(f"# Memory of long renders\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
