"""Evaluations left out, and what that costs: `python -m benchmarks fewer_evaluations [--write]`.

For each way of leaving evaluations out, on `motion`, on `mini` and on a small network of LatentSync's shape
with random weights: evaluations per output frame, processor time beside the usual way (one after the other in
every round, median of the ratios), distance to the unhurried run, what happens at window borders, and jitter.
On `motion` and `mini` also the mouth and the expression of drawn performers' held-out recordings, and with
--media and --landmarker the mouths of people on recordings of their own (see `experiments speech`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eadnet.driving.idle import Idle
from eadnet.driving.motion import MotionModel, motion_sampling, motion_track
from eadnet.driving.speech import track_from_speech
from eadnet.media.audio import load_audio
from eadnet.media.charts import THEMES, Picture
from eadnet.media.images import read_image, write_png
from eadnet.media.speech import SpeechInMemory
from eadnet.modules.unet import EADUNet
from eadnet.presets import LATENTSYNC_UNET
from eadnet.rendering import RenderSettings, load_model, render_latents, scene_in_memory
from eadnet.sampling import LATENTSYNC_DDIM, Conditions, Sampling, Savings, sample
from experiments.motion.command import cases_of
from experiments.motion.measures import Case, Living, expression_r, lips_shut, mouth_r, opening
from experiments.paths import ASSETS
from experiments.speech.clips import TalkingClip
from experiments.speech.command import people
from experiments.speech.drivers import portrait
from experiments.speech.measures import followed

RESULTS = Path(__file__).parent / "results"
PERIOD = 101  # frames after which the speech begins again; shares no divisor with the distances of borders


@dataclass(frozen=True)
class Way:
    """A name, and what differs from the usual settings."""

    name: str
    changes: dict[str, Any]


def ways(steps: int, window: int, overlap: int) -> list[Way]:
    """What is compared for a model of so many steps; the first is the usual way."""
    found = [Way(f"usual: overlap {overlap}", {})]
    found += [Way(f"overlap {n}", {"overlap": n}) for n in (2, 0) if n != overlap]
    if window == 16:
        found.append(Way("window 24, overlap 4", {"window": 24}))
    moving = {"window_mode": "moving"}
    found.append(Way("moving", moving))

    def saving(name: str, **values: Any) -> Way:
        return Way(f"moving, {name}", {**moving, "savings": Savings(**values)})

    for interval in (2, 3) if steps > 2 else (2,):
        found.append(saving(f"cache {interval}", cache_interval=interval))
    if steps == 2:
        found.append(Way("overlap, cache 2", {"savings": Savings(cache_interval=2)}))
        found.append(saving("cache 2, guidance every 2nd", cache_interval=2, guidance_every=2))
    found.append(saving("guidance in the first half", guidance_end=0.5))
    found.append(saving("guidance in the second half", guidance_start=0.5))
    found.append(saving("guidance every 2nd", guidance_every=2))
    if steps > 2:
        found.append(saving("guidance 20-80 %", guidance_start=0.2, guidance_end=0.8))
        both = {"cache_interval": 3, "guidance_every": 3}
        found.append(saving("cache 3, guidance every 3rd", **both))
        for solver in ("ddim", "dpmpp_2m", "dpmpp_2m_sde", "unipc"):
            for n in (4, 8, 12):
                found.append(Way(f"moving, {solver}, {n} steps", {**moving, "scheduler": solver, "steps": n}))
        quick = {**moving, "scheduler": "unipc", "steps": 8, "savings": Savings(cache_interval=2)}
        found.append(Way("moving, unipc, 8 steps, cache 2", quick))
    else:
        found += [Way(f"moving, {s}", {**moving, "scheduler": s}) for s in ("dpmpp_2m", "unipc")]
        found.append(Way("moving, 1 step", {**moving, "steps": 1}))
        found += [Way(f"1 step, overlap {n}", {"steps": 1, "overlap": n}) for n in (overlap, 2)]
        found += [
            Way("4 steps", {"steps": 4}),
            Way("moving, 4 steps, cache 2", {**moving, "steps": 4, "savings": Savings(cache_interval=2)}),
        ]
    return found


class Counted(nn.Module):
    """A U-Net that counts rows of frames: those of which all was computed, and those of the shallow part."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet
        self.whole = self.shallow = 0

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("unet"), name)

    def forward(self, sample: Tensor, *rest: Any, **more: Any) -> Tensor:
        rows = sample.shape[0] * sample.shape[2]
        deep = more.get("deep")
        if deep is not None and deep.features is not None:
            self.shallow += rows
        else:
            self.whole += rows
        result: Tensor = self.unet(sample, *rest, **more)
        return result


@dataclass
class Subject:
    """A model at work: ``run(changes, seed)`` gives what it makes of one clip as numbers [T, D]."""

    name: str
    unet: Counted
    usual: Sampling
    run: Callable[[Sampling], np.ndarray]
    performed: Callable[[dict[str, Any]], list[np.ndarray]] | None = None
    says: Callable[[dict[str, Any], Tensor, int], Tensor] | None = None
    """With these changes, the track [T, P] for a sound of T frames and no sentence."""


def speech(frames: int) -> Tensor:
    """The bundled recording again and again, at 16 kHz."""
    waveform, rate = load_audio(ASSETS / "speech.wav")
    assert rate == 16000, rate
    once = torch.zeros(PERIOD * 640)
    once[: waveform.shape[1]] = waveform[0, : len(once)]
    return once.repeat(-(-frames // PERIOD))[: frames * 640]


def at_schedule(model: Any, changes: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A model with the noise schedule that ``changes`` ask for, and the rest of them."""
    rest = {name: value for name, value in changes.items() if name != "scheduler_config"}
    if len(rest) < len(changes):
        info = {**model.checkpoint.info, "scheduler": changes["scheduler_config"]}
        model = replace(model, checkpoint=replace(model.checkpoint, info=info))
    return model, rest


def motion(frames: int, cases: list[Case]) -> Subject:
    model = MotionModel.load()
    unet = Counted(model.unet)
    model = replace(model, unet=unet)
    sound = SpeechInMemory(speech(frames))
    how = motion_sampling(RenderSettings(), model.checkpoint)

    def settings(sampling: Sampling) -> RenderSettings:
        same = ("seed", "scheduler", "window", "overlap", "window_mode", "savings", "steps")
        return RenderSettings(**{name: getattr(sampling, name) for name in same})

    def run(sampling: Sampling) -> np.ndarray:
        used, _ = at_schedule(model, {"scheduler_config": sampling.scheduler_config})
        track = motion_track(sound, "happy", frames, model=used, settings=settings(sampling))
        return track.values.numpy()

    def performed(changes: dict[str, Any]) -> list[np.ndarray]:
        used, rest = at_schedule(model, changes)
        return [
            motion_track(
                SpeechInMemory(case.waveform),
                case.text,
                96,
                model=used,
                settings=settings(replace(how, seed=seed, **rest)),
            ).values.numpy()
            for seed, case in enumerate(cases)
        ]

    def says(changes: dict[str, Any], sound: Tensor, frames: int) -> Tensor:
        chosen = settings(replace(how, **changes))
        return motion_track(SpeechInMemory(sound), "", frames, model=model, settings=chosen).values

    return Subject("motion", unet, how, run, performed, says)


def mini(frames: int, cases: list[Case]) -> Subject:
    model = load_model()
    unet = Counted(model.unet)
    model = replace(model, unet=unet)
    portrait = (read_image(ASSETS / "portrait.png") * 255).round().byte().numpy()
    scene = scene_in_memory(model, portrait, speech(frames), "happy", frames=frames)

    def run(sampling: Sampling) -> np.ndarray:
        latents = torch.cat(list(render_latents(model.networks(), scene, sampling)))
        return latents.flatten(1).numpy()

    def performed(changes: dict[str, Any]) -> list[np.ndarray]:
        used, rest = at_schedule(model, changes)
        return [
            track_from_speech(
                case.waveform,
                case.text,
                model=used,
                settings=RenderSettings(seed=seed, **rest),
                frames=96,
            ).values.numpy()
            for seed, case in enumerate(cases)
        ]

    def says(changes: dict[str, Any], sound: Tensor, frames: int) -> Tensor:
        still = Idle(blinks=0, gaze=0, head=0)
        how = RenderSettings(**changes)
        return track_from_speech(sound, "", model=model, settings=how, frames=frames, idle=still).values

    return Subject("mini", unet, RenderSettings().sampling(model.checkpoint), run, performed, says)


def random_latentsync(frames: int) -> Subject:
    """LatentSync's own layout at a tenth of its width, with random weights: only distances mean something."""
    torch.manual_seed(0)
    unet = EADUNet.from_config({**LATENTSYNC_UNET, "block_out_channels": [32, 64, 128, 128]}).eval()
    for parameter in unet.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    counted = Counted(unet.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    generator = torch.Generator().manual_seed(1)
    moves = torch.randn(frames, 10, unet.config["cross_attention_dim"], generator=generator).cumsum(0) * 0.1
    still = torch.randn(1, 4, 8, 8, generator=generator).expand(frames, -1, -1, -1)
    conditions = Conditions(still, torch.ones(frames, 1, 8, 8), still, moves)
    usual = Sampling(scheduler_config=LATENTSYNC_DDIM, steps=20, shared_noise=1.0)

    def run(sampling: Sampling) -> np.ndarray:
        return sample(counted, conditions, sampling).flatten(1).numpy()

    return Subject("LatentSync's layout, random weights", counted, usual, run)


def seam_ratio(values: np.ndarray, usual: np.ndarray, borders: set[int]) -> float:
    """Change into frames where the last step had a border, over the usual way's change into the same frames;
    its median over the median of the same elsewhere. The frames are the same, so a plosive is in both.
    """
    own, other = (np.linalg.norm(np.diff(x, axis=0), axis=1) + 1e-9 for x in (values, usual))
    at = np.array(sorted(border - 1 for border in borders if 0 < border < len(values)), dtype=int)
    if len(at) == 0:
        return 1.0
    elsewhere = np.setdiff1d(np.arange(len(own)), at)
    return float(np.median(own[at] / other[at]) / np.median(own[elsewhere] / other[elsewhere]))


def jitter(values: np.ndarray) -> float:
    """Root mean square of the second differences."""
    return float(np.sqrt(np.mean(np.diff(values, n=2, axis=0) ** 2)))


def away(values: np.ndarray, from_: np.ndarray) -> float:
    """Root mean square distance, over the spread of what is compared with."""
    return float(np.sqrt(np.mean((values - from_) ** 2)) / from_.std())


def of_cases(tracks: list[np.ndarray], cases: list[Case]) -> dict[str, Any]:
    """What tracks show beside what drawn performers would."""
    mouths, alive = mouth_r(tracks, cases), Living.of(tracks)
    shut, wrongly = lips_shut(tracks, cases)
    true = [opening(case.truth) for case in cases]
    made = [opening(track) for track in tracks]
    return {
        "mouth": float(np.mean(mouths)),
        "mouths": [float(value) for value in mouths],
        "shut": shut,
        "shut wrongly": wrongly,
        "expression": expression_r(tracks, [case.face for case in cases]),
        "blinks": alive.blinks,
        "depth of blinks": alive.depth,
        "opening's spread": float(np.mean([a.std() for a in made]) / np.mean([b.std() for b in true])),
        "opening's jitter": float(np.mean([jitter(a) for a in made]) / np.mean([jitter(b) for b in true])),
    }


def of_people(subject: Subject, changes: dict[str, Any], clips: list[TalkingClip]) -> dict[str, Any]:
    """How a rigged portrait's lips follow people's own, clip by clip."""
    assert subject.says is not None
    rig, gaps = portrait(), []
    for clip in clips:
        values = subject.says(changes, torch.from_numpy(clip.waveform.astype(np.float32)), len(clip))
        gaps.append(rig.gap(values).numpy())
    found = followed(clips, gaps)
    return {
        "people": float(np.median([one.r for one in found])),
        "people's mean": float(np.mean([one.r for one in found])),
        "of other people": float(np.median([one.mismatched for one in found])),
        "people's": [one.r for one in found],
    }


def measured(
    subject: Subject, chosen: list[Way], rounds: int, cases: list[Case], clips: list[TalkingClip]
) -> Iterator[dict[str, Any]]:
    """A row for each way."""
    made: dict[str, np.ndarray] = {}
    times: dict[str, list[float]] = {way.name: [] for way in chosen}
    counts: dict[str, tuple[float, float]] = {}
    for turn in range(rounds):
        for way in chosen if turn % 2 == 0 else reversed(chosen):
            subject.unet.whole = subject.unet.shallow = 0
            started = time.process_time()
            result = subject.run(replace(subject.usual, **way.changes))
            times[way.name].append(time.process_time() - started)
            made[way.name] = result
            counts[way.name] = (subject.unet.whole / len(result), subject.unet.shallow / len(result))
    usual = chosen[0].name
    frames = len(made[usual])
    other_seed = subject.run(replace(subject.usual, seed=1))
    rows = [*chosen, Way("control: usual, another seed", {"seed": 1})]
    made[rows[-1].name], times[rows[-1].name], counts[rows[-1].name] = other_seed, times[usual], counts[usual]
    for way in rows:
        values, sampling = made[way.name], replace(subject.usual, **way.changes)
        plan = sampling.plan(frames)
        borders = {border for part in plan.parts(plan.steps - 1) for border in part}
        ratios = sorted(a / b for a, b in zip(times[way.name], times[usual], strict=True))
        row: dict[str, Any] = {
            "model": subject.name,
            "way": way.name,
            "whole": counts[way.name][0],
            "shallow": counts[way.name][1],
            "time": float(np.median(ratios)),
            "time range": [ratios[0], ratios[-1]],
            "distance": away(values, made[usual]),
            "seam": seam_ratio(values, made[usual], borders),
            "jitter": jitter(values) / jitter(made[usual]),
        }
        if "seed" not in way.changes:
            if subject.performed is not None and cases:
                row |= of_cases(subject.performed(way.changes), cases)
            if subject.says is not None and clips:
                row |= of_people(subject, way.changes, clips)
        yield row


def as_table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| way | evaluations a frame (shallow) | time | mouth r | lips shut (wrongly) | expression r "
        "| people's mouths | distance | seams | jitter |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [
            row["way"],
            f"{row['whole']:.2f}" + (f" ({row['shallow']:.2f})" if row["shallow"] else ""),
            f"{row['time']:.2f} [{row['time range'][0]:.2f}..{row['time range'][1]:.2f}]",
            f"{row['mouth']:.3f}" if "mouth" in row else "",
            f"{row['shut']:.2f} ({row['shut wrongly']:.2f})" if "shut" in row else "",
            f"{row['expression']:.3f}" if "expression" in row else "",
            f"{row['people']:.3f}" if "people" in row else "",
            f"{row['distance']:.3f}",
            f"{row['seam']:.3f}",
            f"{row['jitter']:.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def chart(rows: list[dict[str, Any]]) -> np.ndarray:
    """A picture uint8 [H, W, 3]: bars of evaluations a frame, the mouth's and the expression's r beside."""
    theme = THEMES["light"]
    picture = Picture(900, 64 + 26 * len(rows), theme)
    model = rows[0]["model"]
    picture.text(16, 12, f"{model}: evaluations of the whole network per frame", 15, theme.ink)
    picture.text(884, 14, "mouth r, expression r", 12, theme.muted, "ra")
    most = max(row["whole"] for row in rows)
    for place, row in enumerate(rows):
        top, right = 46 + 26 * place, 300 + 400 * row["whole"] / most
        picture.text(292, top + 3, row["way"], 12, theme.ink, "ra")
        picture.box(300, top, right, top + 18, theme.muted if place == 0 else theme.line, 3)
        picture.text(right + 6, top + 3, f"{row['whole']:.2f}", 12, theme.ink)
        if "mouth" in row:
            quality = f"{row['mouth']:.3f}, {row['expression']:.3f}"
            picture.text(884, top + 3, quality, 12, theme.ink, "ra")
    return (picture.pixels() * 255).round().astype(np.uint8)


def first_seconds(clip: TalkingClip, seconds: int) -> TalkingClip:
    frames = seconds * 25
    return replace(
        clip,
        points=clip.points[:frames],
        shapes=clip.shapes[:frames],
        waveform=clip.waveform[: frames * 640],
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="*", default=["motion", "mini", "random"])
    parser.add_argument("--cases", type=int, default=12, help="held-out recordings")
    parser.add_argument("--frames", type=int, default=505)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--speech", type=Path, help="where the recordings are, or are made")
    parser.add_argument("--ways", nargs="*", default=[], help="only these, by name, beside the usual one")
    parser.add_argument("--media", type=Path, help="recordings of people who talk")
    parser.add_argument("--landmarker", type=Path, help="the face landmarker, for --media")
    parser.add_argument("--cache", type=Path, default=Path(".work/speech"), help="of what it has seen")
    parser.add_argument("--seconds", type=int, help="of each of those recordings at most")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.media and not options.landmarker:
        parser.error("--media needs --landmarker")
    torch.set_num_threads(1)
    clips = people(options.media, options.landmarker, options.cache) if options.media else []
    if options.seconds:
        clips = [first_seconds(clip, options.seconds) for clip in clips]
    with tempfile.TemporaryDirectory() as folder:
        cases = cases_of(options.speech or Path(folder), options.cases) if options.cases else []
    rows: list[dict[str, Any]] = []
    for name in options.models:
        subject = (
            motion(options.frames, cases)
            if name == "motion"
            else mini(options.frames, cases)
            if name == "mini"
            else random_latentsync(min(options.frames, 202))
        )
        how = subject.usual
        own = []
        all_ways = ways(how.steps, how.window, how.overlap)
        chosen = all_ways[:1] + [w for w in all_ways[1:] if not options.ways or w.name in options.ways]
        for row in measured(subject, chosen, options.rounds, cases, clips):
            own.append(row)
            print(json.dumps({k: v for k, v in row.items() if not isinstance(v, list)}), flush=True)
        print(f"\n{subject.name}\n\n{as_table(own)}\n", flush=True)
        rows += own
        if options.write:
            RESULTS.mkdir(exist_ok=True)
            place = RESULTS / f"fewer_evaluations_{name}.json"
            place.write_text(json.dumps(own, indent=1), encoding="utf-8")
            write_png(place.with_suffix(".png"), chart(own))


if __name__ == "__main__":
    main()
