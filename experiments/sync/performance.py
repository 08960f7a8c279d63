"""Seconds and memory of scoring, each length in a process of its own."""

from __future__ import annotations

import gc
import multiprocessing
import time
from pathlib import Path

import numpy as np
import torch

from eadnet.checkpoints import load_checkpoint
from eadnet.evaluation.clip import score_clip
from eadnet.evaluation.networks import find_networks
from eadnet.media.clips import LazyFrames
from eadnet.media.video import write_video
from eadnet.metrics.sync import measure_sync
from eadnet.training.data.clips import ClipSet
from experiments.sync.clips import FRAMES, Bench


def _measure(job: tuple[str, int, int]) -> tuple[float, float, float]:
    """(seconds, processor seconds, megabytes beyond the clip) of scoring random crops, in a process of its
    own."""
    checkpoint, frames, threads = job
    torch.set_num_threads(threads)
    network = load_checkpoint(checkpoint, only={"syncnet"}).component("syncnet")
    random = torch.Generator().manual_seed(0)
    measure_sync(network, torch.zeros(50, 3, 128, 128, dtype=torch.uint8), torch.ones(50 * 640), 25)
    # Twenty seconds again and again, so that no clip is held that would hide what scoring takes.
    shown = torch.randint(0, 256, (500, 3, 128, 128), dtype=torch.uint8, generator=random)
    crops = LazyFrames((frames, 3, 128, 128), lambda numbers: shown[[n % 500 for n in numbers]])
    sound = 0.1 * torch.randn(frames * 640, generator=random)
    gc.collect()
    forget_peak()
    before = peak_and_now()[1]
    start, processor = time.perf_counter(), time.process_time()
    measure_sync(network, crops, sound, 25)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    return seconds, processor, peak_and_now()[0] - before


def forget_peak() -> None:
    """Reset the peak (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def peak_and_now() -> tuple[float, float]:
    """(peak since `forget_peak`, current) resident memory in MB."""
    lines = (line.split() for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    sizes = {line[0]: int(line[1]) / 1024 for line in lines if line and line[0] in ("VmHWM:", "VmRSS:")}
    return sizes["VmHWM:"], sizes["VmRSS:"]


def speed(bench: Bench) -> list[str]:
    threads = bench.options.threads
    lines = [
        f"| length | seconds, {threads} thread(s) | processor seconds | peak beyond the clip, MB "
        "| of it embeddings, MB |",
        "|---:|---:|---:|---:|---:|",
    ]
    context = multiprocessing.get_context("spawn")
    for length in (60, 240, 960):
        with context.Pool(1) as pool:
            job = (str(bench.options.checkpoint), 25 * length, threads)
            seconds, processor, megabytes = pool.map(_measure, [job])[0]
        embeddings = 25 * length * 2 * 128 * 4 / 2**20
        lines.append(f"| {length} s | {seconds:.1f} | {processor:.1f} | {megabytes:.0f} | {embeddings:.1f} |")
    return lines


def _evaluate(job: tuple[Path, Path, Path]) -> tuple[float, float, float]:
    """(seconds, processor seconds, peak of the process in MB) of scoring a video after a short one."""
    torch.set_num_threads(1)
    checkpoint, warm, path = job
    networks = find_networks(None, checkpoint)
    score_clip(warm, None, networks)
    forget_peak()
    start, processor = time.perf_counter(), time.process_time()
    result = score_clip(path, None, networks)
    assert "mini_confidence" in result.scores
    return time.perf_counter() - start, time.process_time() - processor, peak_and_now()[0]


def streaming(bench: Bench) -> list[str]:
    """Test clips one after the other as one long video, each length in a process of its own."""
    folder = bench.options.data / "long"
    lines = [
        "| video, 128 x 128 | seconds, 1 thread | processor seconds | peak of the process, MB "
        "| its frames would be, MB |",
        "|---:|---:|---:|---:|---:|",
    ]
    lengths = (5, 15, 60, 240)
    if missing := [length for length in lengths if not (folder / f"{length}.mp4").exists()]:
        clips = bench.clips("test", bench.options.codec_clips)
        for length in missing:
            _write_long(folder / f"{length}.mp4", clips, length)
    context = multiprocessing.get_context("spawn")
    for length in lengths:
        job = (bench.options.checkpoint, folder / "5.mp4", folder / f"{length}.mp4")
        with context.Pool(1) as pool:
            seconds, processor, peak = pool.map(_evaluate, [job])[0]
        whole = length * 25 * 128 * 128 * 3 / 2**20
        lines.append(f"| {length} s | {seconds:.1f} | {processor:.1f} | {peak:.0f} | {whole:.0f} |")
    return lines


def _write_long(path: Path, clips: ClipSet, length: int) -> None:
    count = len(clips)
    frames = (clips.frames[n // FRAMES % count, n % FRAMES] for n in range(25 * length))
    sound = np.concatenate([clips.speech[n % count] for n in range(length // 3 + 1)])
    waveform = torch.from_numpy(sound[: 16000 * length].astype(np.float32) / 32767)[None]
    write_video(path, frames, 25, waveform, 16000)
