"""The parts of a render, one after the other and, with --reference, beside the published LatentSync:
`python run.py bench [--reference PATH] [--gpu]`.

Everything runs in one process, ours and theirs by turns in every round; a ratio is theirs over ours, in CPU
time (on a GPU: by the clock, after waiting for it), as the median of the rounds with their range. Weights are
random and the same in both: time does not depend on them. The reference is a checkout of
github.com/bytedance/LatentSync that is run as it is; its cache needs the package DeepCache, its alignment
kornia and OpenCV. What it lacks is left out and named.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._reference import Reference
from benchmarks.fewer_evaluations import away, jitter, seam_ratio
from eadnet.faces.face_track import FaceTrack
from eadnet.faces.masks import mask_image
from eadnet.modules.unet import EADUNet
from eadnet.modules.whisper import WhisperEncoder
from eadnet.presets import LATENTSYNC_UNET, PRESETS
from eadnet.rendering import RenderSettings
from eadnet.sampling import LATENTSYNC_DDIM, Conditions, Sampling, Savings, make_scheduler, sample
from experiments.paths import ASSETS

RESULTS = Path(__file__).parent / "results"
FRAMES, STEPS, GUIDANCE = 100, 20, 1.5
SMALL, MIDDLE, PUBLISHED = [32, 64, 128, 128], [64, 128, 256, 256], [320, 640, 1280, 1280]


@dataclass
class Part:
    """Something to measure. ``runs`` are ways to do the same: ours, and those of the reference."""

    name: str
    unit: str  # of what one run does
    runs: dict[str, Callable[[], Any]]
    left_out: str = ""
    warm: bool = True  # a first run that is not counted
    cpu: dict[str, list[float]] = field(default_factory=dict)
    clock: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, rounds: int, device: torch.device) -> None:
        for run in self.runs.values() if self.warm else ():
            run()
        names = list(self.runs)
        for turn in range(rounds):
            for name in names if turn % 2 == 0 else reversed(names):
                cpu, clock = seconds(self.runs[name], device)
                self.cpu.setdefault(name, []).append(cpu)
                self.clock.setdefault(name, []).append(clock)

    def rows(self, device: torch.device) -> Iterator[dict[str, Any]]:
        chosen = self.clock if device.type == "cuda" else self.cpu
        first = next(iter(self.runs), "")
        for name in self.runs:
            ratios = sorted(b / a for a, b in zip(chosen[first], chosen[name], strict=True))
            yield {
                "part": self.name,
                "unit": self.unit,
                "way": name,
                "cpu": summary(self.cpu[name]),
                "clock": summary(self.clock[name]),
                "over ours": summary(ratios),
            }
        if self.left_out:
            yield {"part": self.name, "unit": self.unit, "way": f"reference: {self.left_out}"}


def summary(values: list[float]) -> list[float]:
    """[median, least, most]."""
    return [float(np.median(values)), min(values), max(values)]


def seconds(run: Callable[[], Any], device: torch.device) -> tuple[float, float]:
    """(processor time, clock) of a run."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    cpu, clock = time.process_time(), time.perf_counter()
    run()
    wait()
    return time.process_time() - cpu, time.perf_counter() - clock


@dataclass
class Bench:
    """Where it runs, and beside what."""

    device: torch.device
    dtype: torch.dtype
    reference: Reference | None
    frames: int = FRAMES  # of a clip
    published: bool = False  # a forward of the published width on a processor, too

    def network(self, widths: list[int], ead: bool = False) -> EADUNet:
        torch.manual_seed(0)
        config = {**LATENTSYNC_UNET, "block_out_channels": widths}
        if ead:
            stda = {"heads": 6, "strip": 2}
            config["ead"] = {"emotion_attention": True, "emotion_global": True, "stda": stda}
        with torch.device(self.device):
            network = EADUNet.from_config(config).to(self.dtype).eval()
        for parameter in network.parameters():
            if not parameter.any():  # at zero, time and emotion would have no say
                torch.nn.init.normal_(parameter, std=0.02)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def theirs(self, network: EADUNet) -> torch.nn.Module | None:
        if self.reference is None:
            return None
        weights = {key: value.cpu() for key, value in network.state_dict().items()}
        return self.reference.unet(network.config, weights).to(self.device, self.dtype)

    def randn(self, *shape: int) -> Tensor:
        return torch.randn(*shape, device=self.device, dtype=self.dtype)


def forwards(bench: Bench, cases: list[tuple[str, list[int], tuple[int, int, int], bool]]) -> Iterator[Part]:
    """One evaluation of the U-Net: (name, widths, (batch, frames, side), with EAD-Net's parts)."""
    for name, widths, (batch, frames, side), ead in cases:
        ours = bench.network(widths, ead)
        x = bench.randn(batch, 13, frames, side, side)
        audio = bench.randn(batch, frames, 50, ours.config["cross_attention_dim"])
        words = bench.randn(batch, 32, 768) if ead else None
        runs: dict[str, Callable[[], Any]] = {"ours": torch.no_grad()(partial(ours, x, 500, audio, words))}
        if not ead and (theirs := bench.theirs(ours)) is not None:
            step = torch.tensor(500, device=bench.device)
            rows = audio.flatten(0, 1)  # they take the sound of each frame for itself
            runs["reference"] = torch.no_grad()(partial(theirs, x, step, encoder_hidden_states=rows))
            mine, other = runs["ours"](), runs["reference"]().sample
            apart = float((mine - other).norm() / other.norm())
            assert apart < (1e-3 if bench.dtype == torch.float32 else 0.05), f"they differ by {apart}"
        yield Part(f"U-Net forward, {name}", f"{batch} x {frames} frames of {side} x {side}", runs)


def clip(bench: Bench, widths: list[int], side: int, frames: int) -> Part:
    """A clip denoised, with and without caches: the U-Net's work of a render."""
    given = _Clip.of(bench, widths, side, frames)
    runs: dict[str, Callable[[], Any]] = {
        name: partial(given.ours, how) for name, how in ways_of_a_clip().items()
    }
    unit = f"{STEPS} steps, guidance {GUIDANCE}, {side} x {side}"
    part = Part(f"clip of {frames} frames", unit, runs, warm=False)
    for how in ways_of_a_clip().values():  # warmed in two steps: imports and memory
        given.ours(replace(how, steps=2))
    for name, cached in given.caches().items():
        given.theirs(cached, 2)
        runs[name] = partial(given.theirs, cached)
    if given.other is not None and CACHED not in runs:
        part.left_out = "its cache needs the package DeepCache"
    return part


PLAIN, CACHED = "reference, without its cache", "reference, with its cache"


def ways_of_a_clip() -> dict[str, Sampling]:
    """The exact way, and those that leave evaluations out."""
    usual = Sampling(LATENTSYNC_DDIM, steps=STEPS, audio_guidance=GUIDANCE, shared_noise=1.0)
    moving = replace(usual, window_mode="moving")
    quick = replace(moving, scheduler="unipc")
    return {
        "ours, moving windows": moving,
        "ours, overlap 4": usual,
        "ours, by default": RenderSettings().sampling(PRESETS["latentsync-1.5"]),
        "ours, moving, cache 3": replace(moving, savings=Savings(3)),
        "ours, moving, cache 3, guidance every 3rd": replace(moving, savings=Savings(3, guidance_every=3)),
        "ours, moving, unipc, 8 steps": replace(quick, steps=8),
        "ours, moving, unipc, 12 steps, cache 2": replace(quick, steps=12, savings=Savings(2)),
        "ours, moving, unipc, 8 steps, cache 2": replace(quick, steps=8, savings=Savings(2)),
        "EAD, three branches, moving, cache 3": replace(moving, emotion_guidance=2.0, savings=Savings(3)),
        "EAD, three branches, by default": RenderSettings().sampling(PRESETS["ead-256"]),
        "EAD, three branches, moving, unipc, 8 steps, cache 2": replace(
            quick, emotion_guidance=2.0, steps=8, savings=Savings(2)
        ),
        "EAD, three branches, moving, unipc, 8 steps, cache 2, guidance every 2nd": replace(
            quick, emotion_guidance=2.0, steps=8, savings=Savings(2, guidance_every=2)
        ),
    }


@dataclass
class _Clip:
    """The same conditions and, where there is a reference, the same weights for both."""

    network: EADUNet
    ead: EADUNet
    conditions: Conditions
    reference: Reference | None
    other: torch.nn.Module | None
    scheduler: Any

    @classmethod
    def of(cls, bench: Bench, widths: list[int], side: int, frames: int) -> _Clip:
        network, ead = bench.network(widths), bench.network(widths, ead=True)
        generator = torch.Generator().manual_seed(1)
        still = torch.randn(1, 4, side, side, generator=generator).expand(frames, -1, -1, -1)
        width = network.config["cross_attention_dim"]
        audio = torch.randn(frames, 50, width, generator=generator).cumsum(0) * 0.1  # neighbours are alike
        words = torch.randn(2, 77, 768, generator=generator)
        given = Conditions(still, torch.ones(frames, 1, side, side), still, audio, words[0], words[1])
        given = given.to(bench.device, bench.dtype)
        scheduler = make_scheduler("ddim", LATENTSYNC_DDIM)
        return cls(network, ead, given, bench.reference, bench.theirs(network), scheduler)

    def ours(self, how: Sampling) -> Tensor:
        """By the network with EAD-Net's parts where the emotion is guided; the other takes none."""
        return sample(self.network if how.emotion_guidance == 1 else self.ead, self.conditions, how)

    def caches(self) -> dict[str, Callable[[], Any]]:
        """The ways of the reference, as contexts of its evaluations; none without one."""
        if self.other is None or self.reference is None:
            return {}
        try:
            return {PLAIN: nullcontext, CACHED: self.reference.cached(self.other, self.scheduler)}
        except ImportError:
            return {PLAIN: nullcontext}

    def theirs(self, cache: Callable[[], Any], steps: int = STEPS) -> Tensor:
        assert self.other is not None
        return loop(self.other, self.scheduler, self.conditions, cache, steps)


@torch.no_grad()
def loop(
    network: torch.nn.Module, scheduler: Any, c: Conditions, cache: Callable[[], Any], steps: int = STEPS
) -> Tensor:
    """Windows of 16 one after the other, two branches in a batch: what the published pipeline does with its
    network between encoding and decoding. Latents [T, 4, h, w].
    """
    made = []
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, *c.masked_latents.shape[1:], generator=generator).to(c.audio)
    for start in range(0, c.num_frames, 16):
        part = c[start : start + 16]
        scheduler.set_timesteps(steps)
        audio = torch.cat([torch.zeros_like(part.audio), part.audio])
        fixed = torch.cat([part.mask, part.masked_latents, part.reference_latents], dim=1)
        fixed = fixed.transpose(0, 1)[None].repeat(2, 1, 1, 1, 1)
        latents = noise.expand(part.num_frames, -1, -1, -1).transpose(0, 1)[None]
        with cache():
            for step in scheduler.timesteps:
                given = torch.cat([torch.cat([latents] * 2), fixed], dim=1)
                silent, heard = network(given, step, encoder_hidden_states=audio).sample.chunk(2)
                output = silent + GUIDANCE * (heard - silent)
                latents = scheduler.step(output, step, latents).prev_sample
        made.append(latents)
    return torch.cat(made, dim=2)[0].transpose(0, 1)


def closeness(bench: Bench, frames: int = 48, ways: Sequence[str] = (), unhurried: int = 50) -> list[str]:
    """A table: how far each way is from an unhurried run (so many steps, nothing left out, overlapping
    windows; with the same weights, the reference's is ours), the change into frames at its last windows'
    borders beside the unhurried run's into the same frames, and its jitter over the unhurried run's. Random
    weights: distances mean something, pictures do not.
    """
    given = _Clip.of(bench, SMALL, 8, frames)
    usual = next(iter(ways_of_a_clip().values()))
    unhurried_way = replace(usual, window_mode="overlap", steps=unhurried)
    chosen = {name: how for name, how in ways_of_a_clip().items() if not ways or name in ways}
    guided = {how.emotion_guidance for how in chosen.values()} | {usual.emotion_guidance}
    aims = {scale: given.ours(replace(unhurried_way, emotion_guidance=scale)) for scale in guided}
    rows = []
    for name, cached in given.caches().items():
        rows.append((name, given.theirs(cached), usual.emotion_guidance, set(range(16, frames, 16))))
    for name, how in chosen.items():
        plan = how.plan(frames)
        borders = {border for part in plan.parts(plan.steps - 1) for border in part}
        rows.append((name, given.ours(how), how.emotion_guidance, borders))
    lines = ["| way | distance | at borders | jitter |", "|---|---:|---:|---:|"]
    for name, made, scale, borders in rows:
        a, b = (x.flatten(1).float().cpu().numpy() for x in (made, aims[scale]))
        seam, shake = seam_ratio(a, b, borders), jitter(a) / jitter(b)
        lines.append(f"| {name} | {away(a, b):.3f} | {seam:.3f} | {shake:.3f} |")
    return lines


def faces(bench: Bench, side: int, count: int = 2) -> Part:
    """Crop and composite of frames of 1080p; without detection."""
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (count, 1080, 1920, 3), np.uint8)
    scale = side / 420
    matrix = torch.tensor([[scale, 0.0, -750 * scale], [0.0, scale, -300 * scale]])
    middle = torch.tensor([960.0, 510.0])
    looks = torch.tensor([[-70.0, -40.0], [70.0, -40.0], [0.0, 10.0], [-50.0, 70.0], [50.0, 70.0]]) + middle
    track = FaceTrack(
        resolution=side,
        size=(1080, 1920),
        framing="portrait",
        matrices=matrix.expand(count, -1, -1).clone(),
        valid=torch.ones(count, dtype=torch.bool),
        found=torch.ones(count, dtype=torch.bool),
        points=looks.expand(count, -1, -1).clone(),
        boxes=torch.tensor([[750.0, 300.0, 1170.0, 720.0]]).expand(count, -1).clone(),
        scores=torch.ones(count),
    )
    region, numbers = mask_image("lower_face", side), list(range(count))

    def ours() -> Any:
        return track.paste(frames, track.crop(frames, numbers), numbers, region)

    runs: dict[str, Callable[[], Any]] = {"ours": ours}
    part = Part(f"crop and composite, {side}", f"{count} frames of 1920 x 1080", runs)
    restorer = None if bench.reference is None else bench.reference.restorer(side)
    if restorer is not None:
        eyes_and_nose = looks[:3].round().numpy()

        def theirs() -> None:
            for frame in frames:
                face, affine = restorer.align_warp_face(frame.copy(), eyes_and_nose, smooth=True)
                pixels = torch.from_numpy(face).permute(2, 0, 1).float() / 127.5 - 1
                restorer.restore_img(frame, pixels, affine)

        runs["reference"] = theirs
    elif bench.reference is not None:
        part.left_out = "its alignment needs kornia and OpenCV"
    return part


def whisper(bench: Bench) -> Part:
    """30 s of sound through Whisper tiny's encoder."""
    torch.manual_seed(0)
    encoder, mel = WhisperEncoder().eval().to(bench.device), torch.randn(1, 80, 3000, device=bench.device)
    runs: dict[str, Callable[[], Any]] = {"ours": torch.no_grad()(lambda: encoder(mel))}
    part = Part("Whisper tiny, encoder", "30 s of sound", runs)
    if bench.reference is not None:
        try:
            theirs = bench.reference.whisper_encoder((80, 1500, 384, 6, 4)).to(bench.device)
            runs["reference"] = torch.no_grad()(lambda: theirs(mel, include_embeddings=True))
        except ImportError as error:
            part.left_out = f"its Whisper needs {error.name}"
    return part


def decoders(bench: Bench) -> Iterator[Part]:
    """8 frames through Stable Diffusion's VAE (random weights, both use diffusers'), and through mini's."""
    from eadnet.checkpoints import load_checkpoint, named_checkpoint
    from eadnet.modules.vae import SDAutoencoder

    torch.manual_seed(0)
    large = SDAutoencoder().eval().to(bench.device, bench.dtype)
    small = load_checkpoint(named_checkpoint("mini"), ["vae"]).component("vae").to(bench.device)
    side = 64 if bench.device.type == "cuda" else 8
    few, many = bench.randn(8, 4, side, side), torch.randn(8, 4, 16, 16, device=bench.device)
    yield Part(
        "VAE decode, Stable Diffusion's",
        f"8 frames of {8 * side} x {8 * side}",
        {"ours": torch.no_grad()(lambda: large.decode(few))},
    )
    yield Part(
        "VAE decode, mini's", "8 frames of 128 x 128", {"ours": torch.no_grad()(lambda: small.decode(many))}
    )


def end_to_end(bench: Bench) -> Part:
    """A second of the bundled portrait and speech, by mini's pixels and by motion's track."""
    from eadnet.driving.motion import MotionModel, motion_track
    from eadnet.media.audio import load_audio
    from eadnet.media.images import read_image
    from eadnet.media.speech import SpeechInMemory
    from eadnet.rendering import RenderSettings, load_model, render_frames, scene_in_memory

    waveform = load_audio(ASSETS / "speech.wav")[0][0]
    picture = (read_image(ASSETS / "portrait.png") * 255).round().byte().numpy()
    mini, motion = load_model().to(bench.device), MotionModel.load().to(bench.device)
    scene = scene_in_memory(mini, picture, waveform, "happy", frames=25)

    def pixels(how: RenderSettings) -> Callable[[], Any]:
        sampling = how.sampling(mini.checkpoint)
        return lambda: list(render_frames(mini.networks(), scene, sampling))

    def track(how: RenderSettings) -> Callable[[], Any]:
        return lambda: motion_track(SpeechInMemory(waveform), "happy", 25, model=motion, settings=how)

    moving = RenderSettings(window_mode="moving")
    runs = {
        "ours, mini": pixels(RenderSettings()),
        "ours, mini, moving": pixels(moving),
        "ours, motion's track": track(RenderSettings()),
    }
    return Part("end to end", "a second of video", runs, left_out="its face detector runs on CUDA only")


def parts(bench: Bench) -> Iterator[Part]:
    """What is measured: on a processor small networks, on a GPU those of the published size."""
    if bench.device.type == "cuda":
        yield from forwards(
            bench,
            [
                ("published width", PUBLISHED, (2, 16, 32), False),
                ("published width", PUBLISHED, (2, 16, 64), False),
                ("published width, EAD", PUBLISHED, (3, 16, 64), True),
            ],
        )
        yield clip(bench, PUBLISHED, 32, bench.frames)
    else:
        if bench.published:
            cases = [(1, 4, 16), (1, 4, 32)]
            yield from forwards(bench, [("published width", PUBLISHED, case, False) for case in cases])
        yield from forwards(
            bench,
            [
                ("a fifth of the width", MIDDLE, (1, 16, 16), False),
                ("a fifth of the width, EAD", MIDDLE, (1, 16, 16), True),
            ],
        )
        yield clip(bench, SMALL, 8, bench.frames)
    yield faces(bench, 256)
    yield from decoders(bench)
    yield whisper(bench)
    yield end_to_end(bench)


def peak_memory(device: torch.device) -> dict[str, float]:
    """MB that the process, and torch on the GPU, had at most."""
    scale = 1e6 if platform.system() == "Darwin" else 1e3
    found = {"process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale}
    if device.type == "cuda":
        found["gpu"] = torch.cuda.max_memory_allocated() / 1e6
    return found


def machine(bench: Bench) -> dict[str, str]:
    name = torch.cuda.get_device_name() if bench.device.type == "cuda" else _processor()
    return {
        "machine": name,
        "threads": str(torch.get_num_threads()),
        "type": str(bench.dtype).removeprefix("torch."),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "reference": "none" if bench.reference is None else bench.reference.version,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def as_table(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["| part | way | processor, ms | clock, ms | over ours |", "|---|---|---:|---:|---:|"]
    for row in rows:
        cells = [f"{row['part']} ({row['unit']})", row["way"]]
        if "cpu" in row:
            cells += [f"{1e3 * row['cpu'][0]:.0f}", f"{1e3 * row['clock'][0]:.0f}"]
            middle, low, high = row["over ours"]
            cells.append(f"{middle:.2f} [{low:.2f}..{high:.2f}]")
        else:
            cells += ["", "", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def chart(rows: list[dict[str, Any]]) -> np.ndarray:
    """A picture uint8 [H, W, 3]. Bars: how often the first way's time each other takes."""
    from eadnet.media.charts import THEMES, Picture

    shown = [row for row in rows if "cpu" in row and row["over ours"][0] != 1.0]
    theme = THEMES["light"]
    picture = Picture(900, 60 + 26 * max(1, len(shown)), theme)
    most = max([1.0, *(min(row["over ours"][0], 8.0) for row in shown)])
    picture.text(16, 14, "time over that of our exact way, 1 = equal (bars end at 8)", 15, theme.ink)
    for place, row in enumerate(shown):
        top, value = 46 + 26 * place, row["over ours"][0]
        colour = theme.bad if row["way"].startswith("reference") else theme.line
        picture.box(430, top, 430 + 400 * min(value, 8.0) / most, top + 18, colour, 3)
        picture.text(424, top + 2, f"{row['part']}: {row['way']}"[:62], 12, theme.ink, "ra")
        picture.text(436 + 400 * min(value, 8.0) / most, top + 2, f"{value:.2f}", 12, theme.ink)
    picture.line([(430 + 400 / most, 40), (430 + 400 / most, 50 + 26 * len(shown))], theme.ink)
    return (picture.pixels() * 255).round().astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("--reference", type=Path, metavar="PATH", help="a checkout of LatentSync")
    parser.add_argument("--gpu", action="store_true", help="the published size in bfloat16, in ten minutes")
    parser.add_argument(
        "--published", action="store_true", help="a forward of the published width, too: 11 GB, minutes"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=FRAMES, help="of a clip")
    parser.add_argument("--only", metavar="WORDS", default="", help="parts with these words in their names")
    parser.add_argument("--closeness", action="store_true", help="how near the ways of a clip come, alone")
    parser.add_argument("--ways", nargs="*", default=[], help="of ours that --closeness has; by default all")
    parser.add_argument("--write", action="store_true", help="record table, numbers and plot in results")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds is at least 1")
    if options.gpu and not torch.cuda.is_available():
        parser.error("--gpu needs a GPU that torch can use")
    if not options.gpu:
        torch.set_num_threads(1)
    bench = Bench(
        torch.device("cuda" if options.gpu else "cpu"),
        torch.bfloat16 if options.gpu else torch.float32,
        None if options.reference is None else Reference(options.reference.resolve()),
        options.frames,
        options.published,
    )
    if options.closeness:
        print("\n".join(closeness(bench, options.frames, options.ways)))
        return
    rows: list[dict[str, Any]] = []
    for part in parts(bench):
        if options.only not in part.name:
            continue
        part.measure(options.rounds, bench.device)
        own = list(part.rows(bench.device))
        if bench.reference is None:
            own = [row for row in own if "cpu" in row]
        print("\n".join(as_table(own)[2:]), flush=True)
        rows += own
    about = {**machine(bench), "peak MB": peak_memory(bench.device)}
    print(json.dumps(about))
    if options.write:
        from eadnet.media.images import write_png

        place = RESULTS / f"side_by_side_{bench.device.type}"
        head = ", ".join(f"{name} {value}" for name, value in machine(bench).items())
        memory = ", ".join(f"{name} {value:.0f} MB" for name, value in peak_memory(bench.device).items())
        text = ["# Side by side", "", f"{head}. Peak memory: {memory}.", "", *as_table(rows), ""]
        place.with_suffix(".md").write_text("\n".join(text), encoding="utf-8")
        place.with_suffix(".json").write_text(json.dumps({**about, "rows": rows}, indent=1), encoding="utf-8")
        write_png(place.with_suffix(".png"), chart(rows))


if __name__ == "__main__":
    main()
