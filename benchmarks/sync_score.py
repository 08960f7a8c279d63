"""Can the sync scores be trusted? `mini`'s judge and the meter without weights, against known offsets.

    python -m benchmarks.sync_score                           every part that needs no recordings
    python -m benchmarks.sync_score offsets speed             some parts
    python -m benchmarks.sync_score --recordings MEDIA --models MODELS --write

Each part leaves its section in --data; --write puts the sections that are there into docs/results/sync.md,
below what is written there by hand.
The test clips are rendered once (people, voices and sentences that no training clip has) and kept in --data.
MEDIA holds real recordings with a MANIFEST.json (file, best_audio_lag_ms), MODELS the face detector
(YuNet) and face-api's landmarks.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eadnet.checkpoints import bundled_mini, load_checkpoint
from eadnet.evaluation.clip import score_clip
from eadnet.evaluation.judges import find_judges
from eadnet.faces.detectors import yunet
from eadnet.faces.detectors.yunet import YuNet
from eadnet.faces.follow import follow, watch
from eadnet.media.audio import load_audio, moved, to_mono_16k
from eadnet.media.clips import LazyFrames
from eadnet.media.features import latentsync_mel, mfcc
from eadnet.media.video import read_frames, video_fps, write_video
from eadnet.metrics.face_crops import face_crops, judge_track
from eadnet.metrics.intervals import mean_interval, separation, share_interval
from eadnet.metrics.speech_fit import leave_one_out
from eadnet.metrics.sync import SyncScore, judge, sweep
from eadnet.modules.face_api import FaceApiNetwork, FaceLandmarks68, mouth_opening_of
from eadnet.modules.mini_audio import speech_log_mel
from eadnet.modules.mini_syncnet import MiniSyncNet
from eadnet.modules.stable_syncnet import StableSyncNet
from eadnet.modules.syncnet_v2 import SyncNetV2
from eadnet.training.autoencoder import to_model_range
from eadnet.training.dataset import ClipSet, Shape, render_dataset

CLIPS, FRAMES, FURTHEST = 48, 75, 10
VALIDATION_CLIPS = 24
RESULTS = Path(__file__).parents[1] / "docs" / "results" / "sync.md"
LATE = "talking/address_60s_sound_120ms_late.mp4"


class Bench:
    """What the parts share: options, the judge, clips that are rendered when they are first needed."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options

    def network(self) -> Any:
        return load_checkpoint(self.options.checkpoint, only={"syncnet"}).component("syncnet")

    def clips(self, split: str, count: int = CLIPS) -> ClipSet:
        """The first ``count`` clips at least; the large set if it is there already."""
        whole = {"test": CLIPS, "validation": VALIDATION_CLIPS}[split]
        folder = self.options.data / split
        if count < whole and not (folder / "texts.json").exists():
            folder = self.options.data / f"{split}_{count}"
            whole = count
        render_dataset(folder, split, Shape(whole, FRAMES))
        return ClipSet(folder)


class Judged:
    """Every test clip's pictures and sound as embeddings, each computed once."""

    def __init__(
        self,
        network: MiniSyncNet,
        clips: ClipSet,
        count: int,
        change: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.network = network
        self.sounds = [torch.from_numpy(s.astype(np.float32) / 32767) for s in clips.speech[:count]]
        self.video = []
        for row in range(count):
            pictures = torch.from_numpy(np.array(clips.frames[row])).movedim(-1, 1)
            if change is not None:
                pictures = change(pictures)
            self.video.append(network.embed(pictures, self.sounds[row])[0])

    @torch.no_grad()
    def score(self, row: int, sound: Tensor) -> SyncScore:
        audio = self.network.embed_audio(speech_log_mel(sound)[None])[0]
        count = min(len(audio), len(self.video[row]))
        return sweep(self.video[row][:count], audio[:count], silence_beyond_ends=False)

    def offsets(self) -> tuple[int, int, int]:
        """(exact, within one frame, all) over every clip with its sound moved by -10 ... 10 frames."""
        errors = [
            abs(self.score(row, moved(sound, 16000, late / 25)).offset + late)
            for row, sound in enumerate(self.sounds)
            for late in range(-FURTHEST, FURTHEST + 1)
        ]
        return sum(e == 0 for e in errors), sum(e <= 1 for e in errors), len(errors)

    def confidences(self) -> tuple[list[float], list[float], int]:
        """With the clip's own sound, with the next clip's, and how often the latter gives offset 0."""
        own = [self.score(row, sound) for row, sound in enumerate(self.sounds)]
        other = [
            self.score(row, self.sounds[(row + 1) % len(self.sounds)]) for row in range(len(self.sounds))
        ]
        zero = sum(score.offset == 0 for score in other)
        return [s.confidence for s in own], [s.confidence for s in other], zero

    @torch.no_grad()
    def strangers(self) -> list[float]:
        """The confidence of every clip with every other clip's sound."""
        sounds = [self.network.embed_audio(speech_log_mel(sound)[None])[0] for sound in self.sounds]
        return [
            sweep(video[:count], audio[:count], silence_beyond_ends=False).confidence
            for row, video in enumerate(self.video)
            for column, audio in enumerate(sounds)
            if row != column and (count := min(len(video), len(audio)))
        ]


def _mean(values: list[float]) -> str:
    interval = mean_interval(values)
    return f"{interval.mean:.3f} ± {interval.half_width:.3f}"


TABLE = (
    "| pictures | clips | offset exact | within 1 frame | AUC | confidence, own sound | another's sound "
    "| offset 0 with another's sound |",
    "|---|---:|---:|---:|---:|---:|---:|---:|",
)


def row_of(name: str, judged: Judged) -> str:
    exact, near, count = judged.offsets()
    own, other, zero = judged.confidences()
    share = share_interval(exact, count)
    return (
        f"| {name} | {len(judged.sounds)} | {exact} of {count} ({100 * share.mean:.1f} %) "
        f"| {100 * near / count:.1f} % | {separation(own, other):.3f} "
        f"| {_mean(own)} | {_mean(other)} | {zero} |"
    )


def offsets(bench: Bench) -> list[str]:
    return [*TABLE, row_of("as rendered", Judged(bench.network(), bench.clips("test"), CLIPS))]


def codec(bench: Bench) -> list[str]:
    vae = load_checkpoint(bundled_mini(), only={"vae"}).component("vae")
    count = bench.options.codec_clips

    @torch.no_grad()
    def coded(pictures: Tensor) -> Tensor:
        frames = to_model_range(pictures.movedim(1, -1).numpy())
        return torch.cat([vae.decode(vae.encode(part)).clamp(-1, 1) / 2 + 0.5 for part in frames.split(25)])

    judged = Judged(bench.network(), bench.clips("test", count), count, coded)
    return [*TABLE, row_of("through mini's autoencoder", judged)]


def tracked(bench: Bench) -> list[str]:
    def cropped(pictures: Tensor) -> Tensor:
        detector = YuNet(bench.options.models / yunet.FILE)
        track = follow(watch(iter(pictures.movedim(1, -1).numpy()), detector), "portrait", 128)
        return face_crops(pictures, judge_track(track, "mini"))[:]

    count = bench.options.codec_clips
    judged = Judged(bench.network(), bench.clips("test", count), count, cropped)
    return [*TABLE, row_of("cropped by the tracker", judged)]


def untrained(bench: Bench) -> list[str]:
    torch.manual_seed(0)
    row = row_of("control: the same network, untrained", Judged(MiniSyncNet(), bench.clips("test"), CLIPS))
    return [*TABLE, row]


def mark(bench: Bench) -> list[str]:
    """The confidence that few strangers reach, chosen on validation clips and judged on test clips."""
    network = bench.network()
    chosen = Judged(network, bench.clips("validation", VALIDATION_CLIPS), VALIDATION_CLIPS).strangers()
    own, _, _ = (judged := Judged(network, bench.clips("test"), CLIPS)).confidences()
    strangers = judged.strangers()
    lines = [
        "| mark, chosen on validation | reached by | own sound, test | another's sound, test |",
        "|---:|---:|---:|---:|",
    ]
    for share in (0.95, 0.99):
        bar = float(np.quantile(chosen, share))
        lines.append(
            f"| {bar:.3f} | {100 * (1 - share):.0f} % of other sounds, validation "
            f"| {_above(own, bar)} | {_above(strangers, bar)} |"
        )
    bar = network.confident
    lines.append(f"| {bar:.3f} | in use | {_above(own, bar)} | {_above(strangers, bar)} |")
    return lines


def short(bench: Bench) -> list[str]:
    """What the mark in use is worth on the beginnings of test clips."""
    network, lines = (
        bench.network(),
        [
            "| frames | own sound above the mark | another's sound above it | own sound, offset exact |",
            "|---:|---:|---:|---:|",
        ],
    )
    judged = Judged(network, bench.clips("test"), VALIDATION_CLIPS)
    with torch.no_grad():
        heard = [network.embed_audio(speech_log_mel(sound)[None])[0] for sound in judged.sounds]
    for length in (10, 15, 25, 50, 75):
        own: list[float] = []
        other: list[float] = []
        exact = 0
        for row, video in enumerate(judged.video):
            for column, audio in enumerate(heard):
                count = min(length - 4, len(video), len(audio))
                score = sweep(video[:count], audio[:count], silence_beyond_ends=False)
                (own if row == column else other).append(score.confidence)
                exact += row == column and score.offset == 0
        lines.append(
            f"| {length} | {_above(own, network.confident)} | {_above(other, network.confident)} "
            f"| {exact} of {len(own)} |"
        )
    return lines


def _above(values: list[float], bar: float) -> str:
    hits = sum(value > bar for value in values)
    return f"{100 * hits / len(values):.1f} % ({hits} of {len(values)})"


def published(bench: Bench) -> list[str]:
    """Largest differences from what the published code computes, on weights that are made from key names."""
    from tests.golden_weights import array, fill, load_golden

    golden, speech = load_golden("syncnet_v2.safetensors"), load_golden("whisper_features.safetensors")
    samples = speech["waveform"]
    video = array("syncnet-v2:sweep", 60, 1024)
    swept = sweep(video, video.roll(-3, 0) + 0.3 * array("syncnet-v2:noise", 60, 1024))
    network = SyncNetV2.from_config({"dim": 1024})
    fill(network, "syncnet-v2")
    lips = (array("syncnet-v2:lip", 2, 3, 5, 224, 224) * 40 + 128).clamp(0, 255)
    with torch.no_grad():
        seen, heard = (
            network.embed_lips(lips),
            network.embed_audio(array("syncnet-v2:audio", 2, 1, 13, 20) * 10),
        )
        tiny = load_golden("stable_syncnet_tiny.safetensors")
        stable = StableSyncNet.from_config(load_golden("stable_syncnet_tiny.config.json"))
        fill(stable, "syncnet-tiny")
        shown, spoken = stable(
            array("syncnet-tiny:video", 2, 48, 128, 256), array("syncnet-tiny:mel", 2, 1, 80, 52)
        )
    pairs = {
        "sweep: 31 mean distances": (swept.mean_distances, golden["sweep_mean_dists"]),
        "sweep: smallest distance": (torch.tensor(swept.distance), golden["sweep_min_dist"]),
        "sweep: confidence": (torch.tensor(swept.confidence), golden["sweep_conf"]),
        "MFCC of 4 s": (mfcc((samples * 32767).to(torch.int16)), golden["mfcc"]),
        "LatentSync's mel of 4 s": (latentsync_mel(samples), golden["latentsync_mel"]),
        "embeddings of lips": (seen, golden["lip_embed"]),
        "embeddings of sound": (heard, golden["audio_embed"]),
        "LatentSync's SyncNet in small: embeddings of pictures": (shown, tiny["vision_embeds"]),
        "LatentSync's SyncNet in small: embeddings of sound": (spoken, tiny["audio_embeds"]),
    }
    lines = [
        "| what | numbers | relative error | largest difference over the largest number |",
        "|---|---:|---:|---:|",
    ]
    for name, (ours, theirs) in pairs.items():
        gap, theirs = (ours - theirs).double(), theirs.double()
        lines.append(
            f"| {name} | {theirs.numel()} | {float(gap.norm() / theirs.norm()):.1e} "
            f"| {float(gap.abs().max() / theirs.abs().max()):.1e} |"
        )
    offset = int(golden["sweep_offset"])
    return [*lines, "", f"Offset of the sweep: {swept.offset}, published {offset}."]


def _measure(job: tuple[str, int, int]) -> tuple[float, float, float]:
    """(seconds, processor seconds, megabytes beyond the clip) of judging random crops, in a process of its
    own."""
    checkpoint, frames, threads = job
    torch.set_num_threads(threads)
    network = load_checkpoint(checkpoint, only={"syncnet"}).component("syncnet")
    random = torch.Generator().manual_seed(0)
    judge(network, torch.zeros(50, 3, 128, 128, dtype=torch.uint8), torch.ones(50 * 640), 25)
    # Twenty seconds again and again, so that no clip is held that would hide what the judge takes.
    shown = torch.randint(0, 256, (500, 3, 128, 128), dtype=torch.uint8, generator=random)
    crops = LazyFrames((frames, 3, 128, 128), lambda numbers: shown[[n % 500 for n in numbers]])
    sound = 0.1 * torch.randn(frames * 640, generator=random)
    gc.collect()
    forget_peak()
    before = peak_and_now()[1]
    start, processor = time.perf_counter(), time.process_time()
    judge(network, crops, sound, 25)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    return seconds, processor, peak_and_now()[0] - before


def forget_peak() -> None:
    """Begin to count the peak anew (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_and_now() -> tuple[float, float]:
    """(peak since `forget_peak`, current) resident memory in MB."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
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
    judges = find_judges(None, checkpoint)
    score_clip(warm, None, judges)
    forget_peak()
    start, processor = time.perf_counter(), time.process_time()
    result = score_clip(path, None, judges)
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


def mouth_openings(path: Path, models: Path) -> Tensor:
    """Of every frame, by YuNet and face-api; NaN before a face is found."""
    import cv2

    landmarks = FaceLandmarks68(FaceApiNetwork.load(models / "face-api" / "face_landmark_68_model.bin"))
    detector = cv2.FaceDetectorYN.create(str(models / "face_detection_yunet_2023mar.onnx"), "", (320, 320))
    box: np.ndarray | None = None
    points = []
    for index, frame in enumerate(read_frames(path)):
        scale = min(1.0, 320 / max(frame.shape[:2]))
        if index % 5 == 0 or box is None:
            small = cv2.resize(frame[..., ::-1], None, fx=scale, fy=scale)
            detector.setInputSize((small.shape[1], small.shape[0]))
            _, found = detector.detect(small)
            if found is not None:
                x, y, width, height = found[np.argmax(found[:, 2] * found[:, 3])][:4] / scale
                # Centre and side of a square that holds the chin as well.
                seen = np.array([x + width / 2, y + 0.52 * height, 1.05 * max(width, height)])
                jumped = box is None or np.abs(seen[:2] - box[:2]).max() > 0.3 * box[2]
                box = seen if jumped or box is None else (box + seen) / 2
        if box is None:
            points.append(torch.full((68, 2), torch.nan))
            continue
        zoom = 112 / box[2]
        matrix = np.array([[zoom, 0, 56 - box[0] * zoom], [0, zoom, 56 - box[1] * zoom]])
        crop = cv2.warpAffine(
            frame, matrix, (112, 112), flags=cv2.INTER_AREA if zoom < 0.5 else cv2.INTER_LINEAR
        )
        points.append(landmarks(torch.from_numpy(crop).movedim(-1, 0)[None].float() / 255)[0])
    return mouth_opening_of(torch.stack(points))


def meter(bench: Bench) -> list[str]:
    media, models, cache = bench.options.recordings, bench.options.models, bench.options.data / "openings"
    entries = [
        entry
        for entry in json.loads((media / "MANIFEST.json").read_text())
        if entry["file"].startswith(("talking/grid_", "virtual/")) or entry["file"] == LATE
    ]
    openings, sounds, rates = [], [], []
    for entry in entries:
        path, kept = media / entry["file"], cache / f"{Path(entry['file']).stem}.npy"
        if not kept.exists():
            cache.mkdir(parents=True, exist_ok=True)
            np.save(kept, mouth_openings(path, models).numpy())
        openings.append(torch.from_numpy(np.load(kept)))
        sounds.append(to_mono_16k(*load_audio(path)))
        rates.append(float(video_fps(path)))
    lines = [
        "| recording | offset, frames | by the manifest | r | r with another clip's sound, best of 21 lags |",
        "|---|---:|---:|---:|---:|",
    ]
    near, counted = 0, 0
    for entry, fit, rate in zip(entries, leave_one_out(openings, sounds, rates), rates, strict=True):
        expected = entry["best_audio_lag_ms"] * rate / 1000
        if entry["file"] != LATE:
            counted += 1
            near += abs(fit.offset - expected) <= 1
        name = Path(entry["file"]).stem
        lines.append(
            f"| {name} | {fit.offset:+d} | {expected:+.0f} | {fit.correlation:.2f} | {fit.control:.2f} |"
        )
    return [*lines, "", f"Within one frame of the manifest: {near} of {counted} (without the late one)."]


@dataclass(frozen=True)
class Part:
    title: str
    text: str
    measure: Callable[[Bench], list[str]]


PARTS = {
    "offsets": Part(
        "Known offsets: `mini`",
        f"Held-out clips of {FRAMES} frames, each with its sound moved by -{FURTHEST} to {FURTHEST} frames; "
        "what moves past an end is lost, silence fills the gap. AUC: how often the confidence with the own "
        "sound beats that with the next clip's.",
        offsets,
    ),
    "codec": Part("The same through the autoencoder", "As `mini` shows what it made.", codec),
    "tracked": Part(
        "The same in crops by the tracker",
        "As `eadnet evaluate` crops faces where it has YuNet's file.",
        tracked,
    ),
    "untrained": Part("Control: untrained", "Chance for an exact offset is 1 of 31.", untrained),
    "mark": Part(
        "From which confidence on the lips follow the sound",
        f"The mark is chosen on {VALIDATION_CLIPS} validation clips and judged on {CLIPS} test clips: other "
        "people, voices and sentences. Other sounds: every clip with the sound of every other.",
        mark,
    ),
    "short": Part(
        "The mark on short clips",
        f"The first frames of {VALIDATION_CLIPS} test clips; fewer offsets can be searched.",
        short,
    ),
    "speed": Part(
        "Speed and memory: `mini`",
        "Random crops of 128 pixels at 25 fps, each length in a process of its own.",
        speed,
    ),
    "streaming": Part(
        "Memory of `eadnet evaluate`",
        "A whole video file of drawn clips: sync by `mini`, flicker and warped difference, without a "
        "detector. Each length in a process of its own, after a video of 5 s.",
        streaming,
    ),
    "published": Part(
        "Against the published code",
        "SyncNet v2 on weights and inputs that are made from names, and the features it and LatentSync hear. "
        "Relative error: norm of the difference over norm of the published numbers.",
        published,
    ),
    "meter": Part(
        "Real recordings: the meter without weights",
        "Ridge regression from log-mel to the opening of the mouth, fitted on all other clips. Offsets are "
        "frames by which the sound is early; negative is late. Control: the highest r over 21 lags with "
        "another clip's sound.",
        meter,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; default: all")
    parser.add_argument("--checkpoint", type=Path, default=bundled_mini(), help="a file with mini's SyncNet")
    parser.add_argument(
        "--data", type=Path, default=Path(".work/sync"), help="where clips and sections are kept"
    )
    parser.add_argument("--codec-clips", type=int, default=24, help="clips to pass through the autoencoder")
    parser.add_argument("--recordings", type=Path, help="folder of real recordings with a MANIFEST.json")
    parser.add_argument("--models", type=Path, help="folder of face detectors")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--write", action="store_true", help="make docs/results/sync.md of the sections")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {min(unknown)}: choose from {', '.join(PARTS)}")
    torch.set_num_threads(options.threads)
    for name in options.parts or PARTS:
        needed = {"meter": (options.recordings, options.models), "tracked": (options.models,)}.get(name, ())
        if None in needed:
            print(f"{name}: skipped, it needs --models" + " and --recordings" * (name == "meter"))
            continue
        section = "\n".join(PARTS[name].measure(Bench(options)))
        kept = options.data / "sections" / f"{name}.md"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(section, encoding="utf-8")
        print(f"## {PARTS[name].title}\n\n{section}\n", flush=True)
    if options.write:
        before = RESULTS.read_text(encoding="utf-8")
        RESULTS.write_text(_page(before, options.data / "sections"), encoding="utf-8")


def _page(before: str, sections: Path) -> str:
    """The page with new sections; what is written above them by hand, and older sections, stay."""
    top, *older = before.split("\n## ")
    known = {title: body.strip() for title, _, body in (block.partition("\n") for block in older)}
    lines = [top.rstrip(), ""]
    for name, part in PARTS.items():
        kept = sections / f"{name}.md"
        if kept.is_file():
            body = f"{part.text}\n\n{kept.read_text(encoding='utf-8').strip()}"
        else:
            body = known.get(part.title, f"{part.text}\n\nNot measured.")
        lines += [f"## {part.title}", "", body, ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
