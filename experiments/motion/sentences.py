"""What `motion` reads of a sentence: words that nothing was trained on, single features, and what a feeling
costs the mouth.

A face is the mean of a second of the bundled recording, always with the same noise, so that what differs is
the sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from eadnet.driving.motion import MotionModel, motion_track
from eadnet.media.audio import to_mono_16k
from eadnet.media.speech import SpeechInMemory
from eadnet.metrics.intervals import mean_interval
from eadnet.rendering import RenderSettings
from eadnet.rig.expression import INDEX
from eadnet.synthetic import lexicon
from experiments.as_shipped import shipped_track
from experiments.emotion.evaluator import CALM, READ, REGIONS
from experiments.emotion.following import FEATURES
from experiments.motion.measures import Array, Case, correlation, opening
from experiments.seams.bench import repeated_speech
from experiments.words import FACE, by_letters, everyday, everyday_row, groups, hits, meanings, score

FRAMES = 25
_FULL = 0.9  # of a movement that a sentence names


def faces(model: MotionModel, texts: Sequence[str], seed: int = 0) -> NDArray[np.float64]:
    """The mean face [N, P] of each sentence; the head, which no sentence moves, is 0."""
    waveform, rate = repeated_speech(FRAMES / 25)
    speech = SpeechInMemory(to_mono_16k(waveform[None], rate))
    how = RenderSettings(seed=seed)
    made: NDArray[np.float64] = np.zeros((len(texts), len(model.codec.names)))
    for row, text in enumerate(texts):
        track = motion_track(speech, text, FRAMES, model=model, settings=how)
        made[row, FACE] = track.values.double().numpy().mean(0)[list(FACE)]
    return made


def words(model: MotionModel, trained: int = 100) -> list[str]:
    """A table: words that neither the text encoder nor motion was trained on, by their letters and with the
    thesaurus, some that they were trained on, and everyday words that are not in the lexicon.
    """
    kinds = dict(groups())
    name, known = kinds.popitem()
    some = known[:: max(1, len(known) // trained)][:trained]
    made = _faces_of(model, [word.text for word in (*lexicon.unseen(), *some)])
    with by_letters(model.text_encoder):
        letters = _faces_of(model, [word.text for word in lexicon.unseen()])
    lines = [
        "| words | number | r, by letters | r, with the thesaurus | emotion, by letters | with it |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for kind, group in (*kinds.items(), (name, some)):
        with_it = _cells(kind, group, made)
        before = ("", "") if group is some else _cells(kind, group, letters)
        lines.append(
            f"| {kind} | {len(group)} | {before[0]} | **{with_it[0]}** | {before[1]} | **{with_it[1]}** |"
        )
    return [*lines, _everyday(model)]


def _cells(name: str, words: Sequence[lexicon.Word], made: Mapping[str, Array]) -> tuple[str, str]:
    """r and the emotion, of other words' faces in brackets."""
    found = score(name, np.stack([made[word.text] for word in words]), meanings(words))
    return (
        f"{found.r:.2f} ({found.r_shuffled:.2f})",
        f"{found.emotion:.0%} ({found.emotion_shuffled:.0%})",
    )


def _everyday(model: MotionModel) -> str:
    usual, expected = list(everyday()), list(everyday().values())
    after = hits(faces(model, usual), expected)
    with by_letters(model.text_encoder):
        return everyday_row(hits(faces(model, usual), expected), after)


def _faces_of(model: MotionModel, texts: Sequence[str]) -> dict[str, Array]:
    return dict(zip(texts, faces(model, texts), strict=True))


def features(model: MotionModel) -> list[str]:
    """A table: does the feature that is asked for move from the calm face, and do other regions stay?"""
    columns = [INDEX[name] for name in READ]
    calm, *shown = faces(model, [CALM, *FEATURES])[:, columns]
    lines = ["| text | target | other regions, most | which | kept |", "|---|---:|---:|---|---|"]
    kept = 0
    for text, face in zip(FEATURES, shown, strict=True):
        moved = dict(zip(READ, face - calm, strict=True))
        targets = FEATURES[text]
        region = next(starts for starts in REGIONS.values() if targets[0].startswith(starts))
        other = max((name for name in READ if not name.startswith(region)), key=lambda n: abs(moved[n]))
        target = float(np.mean([moved[name] for name in targets]))
        good = target > _FULL / 2 and target > 2 * abs(moved[other])
        kept += good
        lines.append(
            f"| {text} | {target:+.2f} | {moved[other]:+.2f} | {other} | {'yes' if good else '**no**'} |"
        )
    return [*lines, "", f"Kept: {kept} of {len(FEATURES)}."]


def cost(model: MotionModel, cases: Sequence[Case], guidance: Sequence[float | None] = (None,)) -> list[str]:
    """How well the mouth follows the speech alone, with the case's sentence and without one, case by case,
    for each emotion guidance (None: the checkpoint's own), which does nothing without a sentence.
    """
    calm = np.array([_mouth(model, case, "", seed) for seed, case in enumerate(cases)])
    lines = []
    for scale in guidance:
        felt = np.array([_mouth(model, case, case.text, seed, scale) for seed, case in enumerate(cases)])
        loss = mean_interval((1 - felt / calm).tolist())
        lines.append(
            f"Emotion guidance {scale or 'as it ships'}: mouth r with the sentence {felt.mean():.3f}, "
            f"without {calm.mean():.3f}, {len(cases)} recordings; cost {100 * loss.mean:+.1f} % "
            f"({100 * loss.low:+.1f} … {100 * loss.high:+.1f})."
        )
    return lines


def _mouth(model: MotionModel, case: Case, text: str, seed: int, guidance: float | None = None) -> float:
    how = RenderSettings(seed=seed, emotion_guidance=guidance)
    made = shipped_track(SpeechInMemory(case.waveform), text, len(case.truth), model=model, settings=how)
    return correlation(opening(made.values.numpy()), opening(case.truth))


def page(model: MotionModel, cases: Sequence[Case], guidance: Sequence[float | None] = (None,)) -> str:
    """All three."""
    return "\n".join([*words(model), "", *features(model), "", *cost(model, cases, guidance)])
