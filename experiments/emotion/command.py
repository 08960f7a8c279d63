"""Does the face follow the words? Measured on any checkpoint, with people, voices and phrasings of the test
split.

    python -m eadnet.training.evaluate_emotion --checkpoint mini --train .work/mini/train --folder .work/mini

`--folder` holds, or gets, the test clips, the instrument and the stills that it learns from.

Every reading is a difference: the face with the words minus the same portrait, sound and noise with the empty
text, or with "calm" where single features are asked of a calm face. Controls: other words than those given
(shuffled), and the same measure on true renders (the ceiling).
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from eadnet.captions.timeline import blend, key_weights, parse_timeline, timeline_tokens
from eadnet.metrics.mouth import correlation
from eadnet.pipeline import load_model
from eadnet.synthetic import expression as world
from eadnet.synthetic import lexicon
from eadnet.synthetic.captions import Description, describe, describe_word
from eadnet.training.autoencoder import to_model_range
from eadnet.training.comparer import Comparer, train_comparer
from eadnet.training.dataset import FPS, RATE, ClipSet, Shape, StillSet, render_dataset, render_stills
from eadnet.training.instrument import NAMES, r_squared, true_values
from experiments.clip_renderer import OPENING, Talking, mean_interval

logger = logging.getLogger(__name__)

REGIONS: dict[str, tuple[str, ...]] = {
    "brows": ("inner_brow_up", "outer_brow_up", "brow_lower"),
    "eyes": ("upper_lid_raise", "lid_tighten", "blink"),
    "cheeks and nose": ("cheek_raise", "nose_wrinkle", "upper_lip_raise"),
    "mouth corners": ("smile", "frown", "dimple"),
    "lips and chin": ("lip_press", "lip_stretch", "lower_lip_depress", "chin_raise"),
}
READ = tuple(n for n in NAMES if any(n.startswith(start) for starts in REGIONS.values() for start in starts))

REQUESTS: dict[str, tuple[str, ...]] = {
    "left eyebrow raised": ("outer_brow_up_l",),
    "right eyebrow raised": ("outer_brow_up_r",),
    "brows pulled down": ("brow_lower_l", "brow_lower_r"),
    "eyes wide open": ("upper_lid_raise_l", "upper_lid_raise_r"),
    "eyes narrowed": ("lid_tighten_l", "lid_tighten_r"),
    "smiling": ("smile_l", "smile_r"),
    "mouth corners down": ("frown_l", "frown_r"),
    "nose wrinkled": ("nose_wrinkle",),
}
"""Single features, and the readings that should move."""
CALM = "calm"

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
TIMELINE = "0.0 calm\n1.0 furious, brows pulled down, lips pressed"
_CHANGE = 25  # frame of the timeline's second line
_LATE, _ROUGH, _COST = 3, 1.5, 0.05  # what is promised: frames, ratio of steps, share of the lip-sync
_SPOKEN_FRAMES = 48
# Windows of 16 frames share 4: these lengths waste none.
_TIMELINE_FRAMES = 40
_LIP_FRAMES = 28
_STILL_PEOPLE, _FIRST_STILL_SEED = 4000, 100_000  # who never appears in the autoencoder's stills


@dataclass(frozen=True)
class Section:
    """A part of the page, and what it says about each promise: (promise, measured, kept)."""

    lines: list[str]
    verdicts: list[tuple[str, str, bool]]


class Given(nn.Module):
    """A text encoder that gives prepared tokens for every text but the empty one."""

    def __init__(self, tokens: Tensor, null: Tensor) -> None:
        super().__init__()
        self.tokens, self.null = tokens, null

    def encode(self, texts: Sequence[str]) -> Tensor:
        return torch.stack([self.tokens if text else self.null for text in texts])


@dataclass(frozen=True)
class Studio:
    """A model with its instrument and the held-out people and recordings."""

    talk: Talking
    instrument: Comparer
    clips: ClipSet
    _faces: dict[tuple[int, str, int], np.ndarray] = field(default_factory=dict, init=False)

    def tokens(self, text: str) -> Tensor:
        with torch.no_grad():
            return self.talk.model.text_encoder.encode([text])[0]

    def read(self, person: int, tokens: Tensor, frames: int) -> dict[str, Tensor]:
        """Readings [frames] of a person's face with emotion tokens [L, D] or [frames, L, D]."""
        talk = replace(self.talk, model=replace(self.talk.model, text_encoder=Given(tokens, self.tokens(""))))
        samples = self.clips.speech[person][: frames * RATE // FPS]
        speech = torch.from_numpy(samples.astype(np.float32) / 32767)
        pictures = talk(self.clips.references[person, 0], speech, "given", frames, person)
        return self.instrument.read(pictures, self.portrait(person))

    def portrait(self, person: int) -> Tensor:
        """The calm portrait [3, S, S] that the person's face is made from and read beside."""
        return to_model_range(self.clips.references[person, 0])

    def face(self, person: int, tokens: Tensor, frames: int) -> np.ndarray:
        """Means over the clip of the readings `READ`."""
        reading = self.read(person, tokens, frames)
        return np.array([float(reading[name].mean()) for name in READ])

    def told(self, person: int, text: str, frames: int) -> np.ndarray:
        """`face` with a text, generated once."""
        if (person, text, frames) not in self._faces:
            self._faces[person, text, frames] = self.face(person, self.tokens(text), frames)
        return self._faces[person, text, frames]

    def untold(self, person: int, frames: int) -> np.ndarray:
        """`told` the empty text."""
        return self.told(person, "", frames)

    def truth(self, person: int, params: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Readings of true renders of the same person: one frame for each vector of parameters."""
        from eadnet.synthetic.identity import sample_identity
        from eadnet.synthetic.renderer import Renderer
        from eadnet.synthetic.sentences import SPLITS

        rng = np.random.default_rng([SPLITS.index("test"), 0, person])  # as `make_clip` draws its person
        renderer = Renderer(sample_identity(rng), size=self.clips.references.shape[2])
        rendered = to_model_range(np.stack([renderer.render(p).image for p in params]))
        return self.instrument.read(rendered, self.portrait(person))


def vector(parameters: dict[str, float]) -> np.ndarray:
    """Named facial parameters as `READ`."""
    return np.array([parameters.get(name, 0.0) for name in READ])


def _params(parameters: dict[str, float], share: float = 1.0) -> np.ndarray:
    result = world.neutral()
    for name, value in parameters.items():
        result[world.INDEX[name]] = share * value
    return result


def _agreement(moved: np.ndarray, wanted: np.ndarray, starts: Sequence[str]) -> float:
    """r over clips and the readings of a region, each centred over the clips, [N, R] both.

    Centred, so that a face which always does the average of all descriptions scores 0.
    """
    asked = wanted.std(axis=0) > 1e-3
    columns = [i for i, name in enumerate(READ) if name.startswith(tuple(starts)) and asked[i]]
    if not columns:
        return float("nan")
    a, b = (x[:, columns] - x[:, columns].mean(0) for x in (moved, wanted))
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-12))


def following(studio: Studio, title: str, texts: Sequence[Description], frames: int) -> Section:
    """Does the face do what the descriptions mean?"""
    people = [i % len(studio.clips) for i in range(len(texts))]
    rows, ceilings = [], []
    for person, text in zip(people, texts, strict=True):
        rows.append(studio.face(person, studio.tokens(text.text), frames) - studio.untold(person, frames))
        true = studio.truth(person, [_params({}), _params(text.parameters)])
        ceilings.append(np.array([float(true[name][1] - true[name][0]) for name in READ]))
    moved, ceiling = np.stack(rows), np.stack(ceilings)
    wanted = np.stack([vector(text.parameters) for text in texts])
    lines = [
        f"## {title} ({len(texts)} descriptions, {frames} frames each)",
        "",
        "r between what was asked and what moved, over descriptions and the readings of a region.",
        "",
        "| region | own text | shuffled text | true renders |",
        "|---|---:|---:|---:|",
    ]
    everything = tuple(start for starts in REGIONS.values() for start in starts)
    own, others = 0.0, [0.0]
    for name, starts in {**REGIONS, "all": everything}.items():
        own = _agreement(moved, wanted, starts)
        others = [_agreement(moved, np.roll(wanted, k, 0), starts) for k in range(1, len(texts))]
        best = _agreement(ceiling, wanted, starts)
        lines.append(f"| {name} | {own:.2f} | {np.mean(others):.2f} ± {np.std(others):.2f} | {best:.2f} |")
    sizes = np.linalg.norm(moved, axis=1) / np.linalg.norm(ceiling, axis=1).clip(1e-3)
    lines += ["", f"Size of the change relative to the true render's: median {np.median(sizes):.2f}.", ""]
    # The last region is all of them. Three standard deviations above chance count as following.
    follows = bool(own > np.mean(others) + 3 * np.std(others))
    logger.info("%s: measured", title)
    return Section(
        lines, [(f"{title}: the face follows", f"r {own:.2f}, {np.mean(others):.2f} shuffled", follows)]
    )


def requests(studio: Studio, people: Sequence[int], frames: int) -> Section:
    """Single features: does that one move, and do the others stay, in the face that `CALM` gives?

    So does the true render: it differs from the calm face in that feature alone. The empty text is no calm
    face, it leaves the face open; the page says what it shows.
    """
    faces = {text: np.stack([studio.told(p, text, frames) for p in people]) for text in (*REQUESTS, CALM, "")}
    shown = {text: _shown(studio, people, targets) for text, targets in REQUESTS.items()}
    lines = [
        f"## One feature at a time ({len(people)} people)",
        "",
        f'Mean change of the asked readings from the face that "{CALM}" gives, and the largest mean change '
        "of a reading in another region, in the parameters' own units (a full movement is 0.8 to 0.95).",
        "",
        "| request | asked | other regions, most | which | true render: asked | other regions, most |",
        "|---|---:|---:|---|---:|---:|",
    ]
    for text in REQUESTS:
        (asked, other, which), (best, strayed, _) = (
            _asked_and_other(text, change) for change in ((faces[text] - faces[CALM]).mean(0), shown[text])
        )
        lines.append(f"| {text} | {asked:+.2f} | {other:+.2f} | {which} | {best:+.2f} | {strayed:+.2f} |")
    moves, stays = _kept(faces, shown, CALM)
    open_moves, open_stays = _kept(faces, shown, "")
    left_open = (faces[""] - faces[CALM]).mean(0)
    most = sorted(range(len(READ)), key=lambda i: -abs(left_open[i]))[:4]
    listed = ", ".join(f"{READ[i]} {left_open[i]:+.2f}" for i in most)
    total = len(REQUESTS)
    lines += [
        "",
        f'The empty text, which leaves the face open, differs from "{CALM}" most in {listed}. Counted from '
        f"there, {open_moves} of {total} features move and {open_stays} of {total} leave the others alone.",
    ]
    logger.info("requests are measured")
    return Section(
        [*lines, ""],
        [
            (
                "Asked features move at least half as far as in true renders",
                f"{moves} of {total}",
                moves == total,
            ),
            ("No other region moves half as far as the asked one", f"{stays} of {total}", stays == total),
        ],
    )


def _shown(studio: Studio, people: Sequence[int], targets: Sequence[str]) -> np.ndarray:
    """Mean change of `READ` when true renders go from a calm face to one with `targets` alone."""
    changes = []
    for person in people:
        true = studio.truth(person, [_params({}), _params({target: 0.9 for target in targets})])
        changes.append([float(true[name][1] - true[name][0]) for name in READ])
    return np.mean(changes, axis=0)


def _asked_and_other(text: str, change: np.ndarray) -> tuple[float, float, str]:
    """Of a change of `READ`: the mean of the asked readings, the largest in another region, its name."""
    targets, moved = REQUESTS[text], dict(zip(READ, change, strict=True))
    region = next(s for s in REGIONS.values() if targets[0].startswith(s))
    other = max((n for n in READ if not n.startswith(region)), key=lambda n: abs(moved[n]))
    return float(np.mean([moved[target] for target in targets])), float(moved[other]), other


def _kept(faces: dict[str, np.ndarray], shown: dict[str, np.ndarray], base: str) -> tuple[int, int]:
    """How many requests move what they ask, and how many leave the rest alone, from the face of `base`."""
    moves, stays = 0, 0
    for text in REQUESTS:
        asked, other, _ = _asked_and_other(text, (faces[text] - faces[base]).mean(0))
        best, _, _ = _asked_and_other(text, shown[text])
        moves += asked > best / 2
        stays += asked > 2 * abs(other)
    return moves, stays


def _projection(moved: np.ndarray, wanted: np.ndarray) -> float:
    """How much of a wanted face shows: 0 none, 1 all."""
    return float(moved @ wanted / (wanted @ wanted))


def strengths(studio: Studio, people: Sequence[int], frames: int) -> Section:
    """Strength 0 to 1: how much of the emotion's face shows."""
    lines = [
        "## Strength",
        "",
        "How much of the described face shows (1: all of it).",
        "",
        f"| text | {' | '.join(f'{s:g}' for s in STRENGTHS)} | monotone |",
        f"|---|{'---:|' * len(STRENGTHS)}---|",
    ]
    null = studio.tokens("")
    verdicts = []
    for emotion in ("happy", "angry"):
        tokens, wanted = studio.tokens(f"very {emotion}"), vector(world.EMOTIONS[emotion])
        shown = [np.mean([studio.untold(p, frames) for p in people], axis=0)]
        for share in STRENGTHS[1:]:
            mixed = blend(tokens[None], null, torch.tensor([[share]]))[0]
            shown.append(np.mean([studio.face(p, mixed, frames) for p in people], axis=0))
        values = [_projection(face - shown[0], wanted) for face in shown]
        steady = all(b > a for a, b in zip(values, values[1:], strict=False))
        verdicts.append(
            (f"'very {emotion}' grows with the strength", f"{values[0]:.2f} to {values[-1]:.2f}", steady)
        )
        numbers = " | ".join(f"{v:.2f}" for v in values)
        lines.append(f"| very {emotion} | {numbers} | {'yes' if steady else 'no'} |")
    logger.info("strengths are measured")
    return Section([*lines, ""], verdicts)


@dataclass(frozen=True)
class Change:
    """A measured change: its levels before and after, the frame where it is half way, its largest step."""

    before: float
    after: float
    frame: int
    step: float

    @classmethod
    def of(cls, values: np.ndarray, at: int, margin: int = 7) -> Change:
        """From a curve [T] that should change at frame `at`; a mean of three frames finds the half way."""
        before, after = values[: at - margin].mean(), values[at + margin :].mean()
        share = (values - before) / (after - before if abs(after - before) > 1e-6 else 1e-6)
        smooth = np.convolve(np.pad(share, 1, mode="edge"), [1 / 3] * 3, "valid")
        frame = int(np.argmax(smooth >= 0.5)) if (smooth >= 0.5).any() else len(values)
        return cls(float(before), float(after), frame, float(np.abs(np.diff(values)).max()))

    def __str__(self) -> str:
        return (
            f"from {self.before:.2f} to {self.after:.2f} of the angry face; half way at frame {self.frame} "
            f"(asked {_CHANGE}); largest step between frames {self.step:.3f}"
        )


def timeline(studio: Studio, people: Sequence[int], frames: int) -> Section:
    """A change at 1 s: when does it happen, and is it smooth? Control: the true renders of the same curve."""
    keys = parse_timeline(TIMELINE, frames / FPS)
    weights = key_weights(keys, frames, FPS, 0.4)
    null = studio.tokens("")
    tokens = torch.stack([studio.tokens(key.text) for key in keys])
    wanted = vector(world.EMOTIONS["angry"])

    def shown(reading: dict[str, Tensor]) -> np.ndarray:
        return np.stack([reading[name].numpy() for name in READ], 1) @ wanted / (wanted @ wanted)

    lines = ["## A timeline", "", f"`{TIMELINE.replace(chr(10), ' / ')}`, cross-fade 0.4 s.", ""]
    late, ratios = [], []
    for person in people:
        changing = shown(studio.read(person, timeline_tokens(keys, weights, tokens, null), frames))
        steady = shown(studio.read(person, tokens[0], frames))
        faces = [_params(world.EMOTIONS["angry"], share) for share in weights[:, 1]]
        # Speech and blinks are the same in both clips, and fall out of their difference.
        made, true = (Change.of(v, _CHANGE) for v in (changing - steady, shown(studio.truth(person, faces))))
        late.append(abs(made.frame - _CHANGE))
        ratios.append(made.step / true.step)
        lines += [f"- person {person}, generated: {made}.", f"- person {person}, true render: {true}."]
    lines += [f"- largest step, generated to true: {', '.join(f'{ratio:.2f}' for ratio in ratios)}.", ""]
    logger.info("the timeline is measured")
    worst, rough = max(late), max(ratios)
    return Section(
        lines,
        [
            (f"A change happens within {_LATE} frames of its time", f"{worst} at most", worst <= _LATE),
            (
                f"No frame jumps more than {_ROUGH:g} x the true render",
                f"{rough:.2f} at most",
                rough <= _ROUGH,
            ),
        ],
    )


def lip_sync(studio: Studio, people: Sequence[int]) -> Section:
    """Does the emotion cost lip-sync? r of the mouth's opening with the clip's true opening."""
    names = ("neutral text", "own emotion", "own emotion, another clip's truth")
    scores: dict[str, list[float]] = {name: [] for name in names}
    null = studio.tokens("")
    for person in people:
        truth = torch.from_numpy(studio.clips.openings[person][:_LIP_FRAMES])
        other = torch.from_numpy(studio.clips.openings[(person + 1) % len(studio.clips)][:_LIP_FRAMES])
        plain = studio.read(person, null, len(truth))[OPENING]
        felt = studio.read(person, studio.tokens(studio.clips.texts[person]["text"]), len(truth))[OPENING]
        scores["neutral text"].append(correlation(plain, truth))
        scores["own emotion"].append(correlation(felt, truth))
        scores["own emotion, another clip's truth"].append(correlation(felt, other))
    lines = [f"## Lip-sync ({len(people)} clips)", "", "| | r with the true opening | 95 % |"]
    lines.append("|---|---:|---:|")
    for name, values in scores.items():
        mean, half = mean_interval(values)
        lines.append(f"| {name} | {mean:.3f} | ± {half:.3f} |")
    plain_mean, felt_mean = np.mean(scores["neutral text"]), np.mean(scores["own emotion"])
    loss, half = mean_interval([a - b for a, b in zip(*list(scores.values())[:2], strict=True)])
    share = 1 - felt_mean / plain_mean
    lines += [
        "",
        f"Loss with the emotion on: {share:.1%} (paired difference {loss:.3f} ± {half:.3f}).",
        "",
    ]
    logger.info("lip-sync is measured")
    promise = f"Emotion costs at most {_COST:.0%} of the lip-sync"
    return Section(lines, [(promise, f"{share:.1%}", bool(share <= _COST))])


def descriptions(count: int) -> dict[str, list[Description]]:
    """By title: of the test split (unknown words, phrasings and combinations), and words that nothing was
    taught with.
    """
    rng = np.random.default_rng(5)
    unseen = lexicon.unseen()
    chosen = rng.permutation(len(unseen))[:count]
    return {
        "Words and phrasings that no training clip used": [describe(rng, "test") for _ in range(count)],
        "Words that nothing was taught with": [describe_word(unseen[i], rng, "test") for i in chosen],
    }


def verdict_table(verdicts: Sequence[tuple[str, str, bool]]) -> list[str]:
    lines = ["## Promises", "", "| promise | measured | kept |", "|---|---|---|"]
    return [
        *lines,
        *(f"| {text} | {seen} | {'yes' if kept else 'no'} |" for text, seen, kept in verdicts),
        "",
    ]


def measure(studio: Studio, clips: int, frames: int, head: str, out: Path) -> None:
    """Write the page, part by part, so that an interrupted run leaves what it has measured."""
    people = list(range(min(clips, len(studio.clips))))
    few = people[: max(2, clips // 6)]
    parts: list[Callable[[], Section]] = [
        *(
            partial(following, studio, title, texts, frames)
            for title, texts in descriptions(2 * clips).items()
        ),
        partial(requests, studio, people, frames),
        partial(strengths, studio, few, frames),
        partial(timeline, studio, few, _TIMELINE_FRAMES),
        partial(lip_sync, studio, people),
    ]
    body: list[str] = []
    verdicts: list[tuple[str, str, bool]] = []
    out.parent.mkdir(parents=True, exist_ok=True)
    for part in parts:
        section = part()
        body += section.lines
        verdicts += section.verdicts
        page = ["# Does the face follow the words?", "", head, "", *verdict_table(verdicts), *body]
        out.write_text("\n".join(page), encoding="utf-8")


def explained_variance(instrument: Comparer, clips: ClipSet) -> dict[str, float]:
    """R² per reading on true renders: how far a score on that reading can be trusted."""
    read = [
        torch.stack(list(instrument.read(to_model_range(clip), to_model_range(references[0])).values()), 1)
        for clip, references in zip(clips.frames, clips.references, strict=True)
    ]
    return r_squared(torch.cat(read), true_values(clips).flatten(0, 1))


def _stills(folder: Path) -> StillSet:
    if not (folder / "stills.npy").exists():
        render_stills(folder, _STILL_PEOPLE, first_seed=_FIRST_STILL_SEED)
    return StillSet(folder)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m eadnet.training.evaluate_emotion", description=__doc__)
    parser.add_argument("--checkpoint", default="mini", help="a file, or mini for the bundled one")
    parser.add_argument("--train", type=Path, required=True, help="rendered clips that train the instrument")
    parser.add_argument("--folder", type=Path, default=Path(".work/emotion"), help="test clips, instrument")
    parser.add_argument("--out", type=Path, default=Path("docs/results/emotion.md"))
    parser.add_argument("--clips", type=int, default=10, help="held-out people; time grows with it")
    parser.add_argument("--frames", type=int, default=4, help="frames of one measurement")
    parser.add_argument("--instrument-steps", type=int, default=1500, help="to train the instrument for")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    started = time.monotonic()
    render_dataset(options.folder / "test", "test", Shape(options.clips, _SPOKEN_FRAMES))
    trained, stills = ClipSet(options.train), _stills(options.folder / "stills")
    instrument = train_comparer(trained, stills, options.folder / "comparer", steps=options.instrument_steps)
    model = load_model(options.checkpoint)
    defaults = model.checkpoint.defaults
    talk = Talking(model, defaults["steps"], defaults["audio_guidance"], defaults["emotion_guidance"])
    clips = ClipSet(options.folder / "test")
    trust = explained_variance(instrument, clips)
    head = (
        f"{options.clips} held-out people and voices, {talk.steps} steps, guidance "
        f"{talk.audio_guidance:g} (sound) and "
        f"{talk.emotion_guidance:g} (emotion), read by the instrument of "
        f"`eadnet/training/comparer.py` ({options.instrument_steps} steps on {len(trained)} clips and "
        f"{len(stills)} stills; mean R² on true renders of these people: "
        f"{np.nanmean([trust[name] for name in READ]):.2f}). Repeat with\n"
        f"`python -m eadnet.training.evaluate_emotion --checkpoint mini --train .work/mini/train "
        f"--folder .work/mini --clips {options.clips} --instrument-steps {options.instrument_steps}`."
    )
    studio = Studio(talk, instrument, clips)
    measure(studio, options.clips, options.frames, head, options.out)
    logger.info("%s after %.1f min", options.out, (time.monotonic() - started) / 60)


if __name__ == "__main__":
    main()
