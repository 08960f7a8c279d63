"""The face that a sentence means, as facial parameters.

Any text encoder will do whose mean token tells faces apart. A few hundred plain sentences whose faces are
known (the captioner's own phrasings of the eight emotions and of single movements) are encoded, and the
linear map from mean tokens to faces that fits them best reads every other sentence, words that nobody listed
included. Nothing is trained and nothing is stored: the map belongs to the encoder it was fitted on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from random import Random
from typing import Any

import torch
from torch import Tensor

from ..captions import schema
from ..mixed_tokens import MixedTokens
from ..rig.expression import EMOTIONS, HEAD_POSE, INDEX, PARAMETERS, RANGES
from ..rig.track import columns

Encode = Callable[[Sequence[str]], Tensor]
"""Sentences -> tokens [N, L, D]."""

_LEVELS = {"low": 0.4, "medium": 0.7, "high": 1.0}
_PLAIN = 0.8  # how strong a movement is that a sentence names without saying how
_ROUNDS = 2  # sentences with features for every emotion, word and level
_RIDGE = 0.2  # of the number of sentences
_NOISE = (0.05, 0.16)
_PIECE = 256  # sentences that are encoded at once
_SAME = 0.02  # relative distance of two encodings: half precision stays below

# What no sentence moves: speech and idle motion do.
_NOT_SAID = (*HEAD_POSE, "lip_close", "lip_bite", "tongue_up", "blink_l", "blink_r", "gaze_x", "gaze_y")
# The parameters of those action units that the captioner has phrases for.
_OF_UNIT = {
    **{1: "inner_brow_up", 2: "outer_brow_up", 4: "brow_lower", 5: "upper_lid_raise", 6: "cheek_raise"},
    **{7: "lid_tighten", 9: "nose_wrinkle", 10: "upper_lip_raise", 12: "smile", 14: "dimple", 15: "frown"},
    **{16: "lower_lip_depress", 17: "chin_raise", 20: "lip_stretch", 24: "lip_press"},
}


@dataclass(frozen=True, eq=False)
class SentenceReader:
    """face = (mean token - `centre`) · `weights` + `plain`; [D], [D, P] and [P]. ``null`` [D] is the mean
    token of the empty sentence. Make one with `fit`.
    """

    centre: Tensor
    weights: Tensor
    plain: Tensor
    null: Tensor

    @property
    def dim(self) -> int:
        """D of the tokens that it reads."""
        return len(self.centre)

    @classmethod
    @torch.no_grad()
    def fit(cls, encode: Encode, seed: int = 0) -> SentenceReader:
        """Fit the map on sentences whose faces are known, by ridge regression."""
        texts, faces = known_sentences(seed)
        parts = [_means(encode(texts[i : i + _PIECE])) for i in range(0, len(texts), _PIECE)]
        means = torch.cat(parts).double()
        centre, plain = means.mean(0), faces.double().mean(0)
        away = means - centre
        square = away.T @ away
        ridge = _RIDGE * len(texts) * (square.trace() / square.shape[0] / len(texts)).clamp(min=1e-9)
        square = square + ridge * torch.eye(square.shape[0], dtype=square.dtype)
        weights = torch.linalg.solve(square, away.T @ (faces.double() - plain))
        return cls(centre.float(), weights.float(), plain.float(), means[texts.index("")].float())

    @torch.no_grad()
    def face(self, tokens: Tensor | MixedTokens) -> Tensor:
        """Tokens [..., L, D] -> the face that they mean, [..., P] within the parameters' ranges."""
        means = _means(tokens.mixed() if isinstance(tokens, MixedTokens) else tokens)
        found = (means - self.centre) @ self.weights + self.plain
        found = found * _gate(found.abs())
        low, high = torch.from_numpy(RANGES).unbind(1)
        return torch.minimum(torch.maximum(found, low), high)

    @torch.no_grad()
    def beyond_none(self, tokens: Tensor | MixedTokens) -> Tensor:
        """The same less what is read of the empty sentence, which means nothing: [..., P]."""
        return self.face(tokens) - self.face(self.null[None])

    def knows(self, null: Tensor) -> bool:
        """Whether the empty sentence's tokens [L, D] are those of the encoder that it was fitted on."""
        mean = _means(null)
        return mean.shape == self.null.shape and float((mean - self.null).norm()) <= _SAME * float(
            self.null.norm()
        )


def expression_of_sentence(sentence: str, encode: Encode, reader: SentenceReader | None = None) -> Tensor:
    """The facial parameters [P] that a sentence means; none for an empty one.

    encode: the text encoder, sentences -> tokens [N, L, D]. reader: fitted on the same encoder; None fits
    one.
    """
    if not sentence.strip():
        return torch.zeros(len(PARAMETERS))
    return (reader or SentenceReader.fit(encode)).face(encode([sentence]))[0]


def _gate(amount: Tensor) -> Tensor:
    """0 for a movement that is no more than the fit's noise, 1 for one that is seen."""
    share = ((amount - _NOISE[0]) / (_NOISE[1] - _NOISE[0])).clamp(0, 1)
    return share * share * (3 - 2 * share)


def _means(tokens: Tensor) -> Tensor:
    return tokens.detach().float().cpu().mean(-2)


def known_sentences(seed: int = 0) -> tuple[list[str], Tensor]:
    """Sentences and the faces [N, P] that they mean, the same for the same seed."""
    rng, words = Random(seed), _words()
    texts, faces = [""], [torch.zeros(len(PARAMETERS))]
    features = [row for row in words["features"] if set(row["units"]) <= set(_OF_UNIT)]
    for row in features:
        for phrase in row["say"]:
            texts.append(phrase)
            faces.append(_with(torch.zeros(len(PARAMETERS)), row))
    for emotion, said in words["emotions"].items():
        for word in dict.fromkeys([*said, *_synonyms()[emotion]]):
            for level, strength in _LEVELS.items():
                face = _face_of(emotion) * strength
                texts.append(_said(word, level, words, rng))
                faces.append(face)
                for _ in range(_ROUNDS):
                    chosen = rng.sample(features, rng.randint(1, 3))
                    phrases = [rng.choice(row["say"]) for row in chosen]
                    texts.append(", ".join([_said(word, level, words, rng), *phrases]))
                    seen = face
                    for row in chosen:
                        seen = _with(seen, row)
                    faces.append(seen)
    return texts, torch.stack(faces)


def _said(word: str, level: str, words: dict[str, Any], rng: Random) -> str:
    return rng.choice(words["frames"]).format(e=f"{rng.choice(words['levels'][level])} {word}".strip())


def _face_of(emotion: str) -> Tensor:
    face = torch.zeros(len(PARAMETERS))
    for name, value in EMOTIONS[emotion].items():
        if name not in _NOT_SAID:
            face[INDEX[name]] = value
    return face


def _with(face: Tensor, feature: dict[str, Any]) -> Tensor:
    """A face with the movements of one of the captioner's phrases."""
    face = face.clone()
    for number in feature["units"]:
        name = _OF_UNIT[number]
        one = f"{name}_{feature['side'][0]}"
        for column in columns(name) if feature["side"] == "both" else [INDEX[one]]:
            face[column] = face[column].clamp(min=_PLAIN)
    return face


@lru_cache(maxsize=1)
def _words() -> dict[str, Any]:
    return json.loads(resources.files(schema.__package__).joinpath("words.json").read_text("utf-8"))


@lru_cache(maxsize=1)
def _synonyms() -> dict[str, list[str]]:
    table = json.loads(resources.files(schema.__package__).joinpath("synonyms.json").read_text("utf-8"))
    return {emotion: [word for word in said if word.isascii()] for emotion, said in table.items()}
