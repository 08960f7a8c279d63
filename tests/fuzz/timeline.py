"""Border: what people type. Timelines to tokens and their plot, sentences to tokens, faces as numbers."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import torch

from eadnet.captions.timeline import (
    EASES,
    frame_strength,
    key_weights,
    parse_timeline,
    same_length,
    timeline_tokens,
)
from eadnet.faces.detectors.manual import parse_face
from eadnet.media.curves import curve_picture
from eadnet.modules.text_encoder import MiniTextEncoder
from tests.fuzz.strange import NUMBERS, damaged, number, text

_LINES = (
    "0.0 calm",
    "1.5 happy, a broad smile, 0.7",
    "3.0 furious, 1",
    "1:02.5s sad",
    "# note",
    "4.,x,.5",
    "5 0.3",
)


class Subject:
    """A timeline with the numbers of its node, a sentence, or a face given by hand."""

    def __init__(self, folder: Path) -> None:
        self.encoder = MiniTextEncoder(dim=12, length=8, layers=1, heads=2, buckets=64).eval()
        self.attempt(("timeline", _LINES[0], 5, 25.0, 0.4, "smooth"))

    def make(self, random: Random) -> Any:
        kind = random.random()
        if kind < 0.15:
            return "sentence", text(random)
        if kind < 0.3:
            numbers = [str(number(random)) for _ in range(random.choice((4, 4, 10, 3)))]
            return "face", random.choice((", ".join(numbers), text(random)))
        fps = 25.0 if random.random() < 0.8 else number(random)
        fade = 0.4 if random.random() < 0.8 else number(random)
        ease = random.choice(list(EASES)) if random.random() < 0.9 else text(random)
        return "timeline", self._lines(random), random.choice((1, 5, 100, 2000)), fps, fade, ease

    def about(self, given: Any) -> str:
        return ascii(given)[:160]

    @staticmethod
    def _lines(random: Random) -> str:
        if random.random() < 0.2:
            return damaged("\n".join(_LINES).encode(), random).decode("utf-8", "surrogateescape")
        lines = [random.choice(_LINES) for _ in range(random.choice((1, 2, 4)))]
        for _ in range(random.choice((1, 2))):
            at = random.randrange(len(lines) + 1)
            time, strength = (
                random.choice((str(random.choice(NUMBERS)), text(random)[:500], str(random.randint(0, 9))))
                for _ in range(2)
            )
            lines.insert(at, f"{time} {text(random)}, {strength}")
        return random.choice(("\n", "\r\n", "\x0b", "\u2028")).join(lines)

    def attempt(self, given: Any) -> str:
        kind, words, *rest = given
        if kind == "sentence":
            with torch.no_grad():
                self.encoder.encode([words])
            return ""
        if kind == "face":
            return str(parse_face(words).box.tolist())
        frames, fps, fade, ease = rest
        keys = parse_timeline(words, frames / 25)
        weights = key_weights(keys, frames, fps, fade, ease)
        texts = [key.text for key in keys]
        with torch.no_grad():
            null, *tokens = same_length(list(self.encoder.encode(["", *texts])))
        assert timeline_tokens(keys, weights, tokens, null)[:5].mixed().isfinite().all()
        curve_picture(weights.dense(), frame_strength(keys, weights), texts, fps)
        return ""
