"""The face that a sentence means, and how it plays beside a speaking mouth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from zlib import crc32

import numpy as np
import pytest
import torch
from torch import Tensor

from eadnet.driving.mixer import beside_speech
from eadnet.driving.sentence import SentenceReader, expression_of_sentence, known_sentences
from eadnet.mixed_tokens import MixedTokens
from eadnet.rig.expression import EMOTIONS, INDEX, PARAMETERS, RANGES
from eadnet.rig.track import GROUPS, Track, columns

LOW, HIGH = torch.from_numpy(RANGES).unbind(1)


DIM = 192


@cache
def direction(word: str) -> Tensor:
    return torch.randn(DIM, generator=torch.Generator().manual_seed(crc32(word.encode())))


def bag_of_words(texts: Sequence[str]) -> Tensor:
    """An encoder that any test can afford: every word its own random direction, [N, 1, DIM]."""
    rows = [sum(map(direction, text.replace(",", "").split()), torch.zeros(DIM)) for text in texts]
    return torch.stack(rows)[:, None]


@pytest.fixture(scope="module")
def reader() -> SentenceReader:
    return SentenceReader.fit(bag_of_words)


def test_the_same_seed_knows_the_same_sentences_and_all_faces_are_in_range() -> None:
    texts, faces = known_sentences(3)
    again, same = known_sentences(3)
    assert texts == again and torch.equal(faces, same) and len(texts) == len(faces)
    assert ((faces >= LOW) & (faces <= HIGH)).all()
    assert "" in texts and float(faces[texts.index("")].abs().max()) == 0


def test_a_movement_that_is_named_is_the_one_that_shows(reader: SentenceReader) -> None:
    face = expression_of_sentence("nose wrinkled", bag_of_words, reader)
    assert PARAMETERS[int(face.argmax())] == "nose_wrinkle" and float(face.max()) > 0.4


@pytest.mark.parametrize("emotion", [name for name in EMOTIONS if name != "neutral"])
def test_an_emotion_that_is_named_is_the_nearest_face(reader: SentenceReader, emotion: str) -> None:
    face = expression_of_sentence(f"the speaker looks {emotion}", bag_of_words, reader)
    known = torch.zeros(len(EMOTIONS), len(PARAMETERS))
    for row, amounts in zip(known, EMOTIONS.values(), strict=True):
        for name, value in amounts.items():
            row[INDEX[name]] = value
    alike = torch.cosine_similarity(known, face[None])
    assert list(EMOTIONS)[int(alike.argmax())] == emotion


def test_nothing_said_is_nothing_shown(reader: SentenceReader) -> None:
    assert float(expression_of_sentence("  ", bag_of_words, reader).abs().max()) == 0
    assert float(reader.face(bag_of_words(["neutral"])).abs().max()) < 0.2


def test_a_sentence_that_changes_over_time_is_read_frame_by_frame(reader: SentenceReader) -> None:
    null, smile = bag_of_words(["", "smiling"])
    mixed = MixedTokens.of([smile], null, np.array([[0.0], [0.5], [1.0]]), np.zeros((3, 1), int))
    smiles = reader.face(mixed)[:, INDEX["smile_l"]]
    assert float(smiles[0]) < 0.1 and smiles[0] < smiles[1] < smiles[2]


def speaking(frames: int = 40) -> Track:
    """Syllables with the lips shut between them."""
    beat = torch.sin(torch.arange(frames) * 0.9)
    shut = (beat < -0.8).float()
    return Track.of(
        {"jaw_open": 0.4 * beat.clamp(min=0), "lip_close": shut, "smile": torch.full((frames,), 0.1)}
    )


def test_a_face_of_zeros_changes_nothing() -> None:
    track = speaking()
    assert torch.equal(beside_speech(track, torch.zeros(len(PARAMETERS))).values, track.values)


@pytest.mark.parametrize("emotion", sorted(EMOTIONS))
def test_what_closes_the_lips_and_what_is_not_of_the_sentence_stays(emotion: str) -> None:
    track, face = speaking(), torch.zeros(len(PARAMETERS))
    for name, value in EMOTIONS[emotion].items():
        face[INDEX[name]] = value
    mixed = beside_speech(track, face)
    for name in (
        "lip_close",
        "lip_bite",
        "lip_pucker",
        "tongue_up",
        *GROUPS["head"],
        *GROUPS["blink"],
        *GROUPS["gaze"],
    ):
        assert torch.equal(mixed[name], track[name]), name
    shut = track["lip_close"] == 1
    assert shut.any() and torch.equal(
        mixed.values[shut][:, columns("jaw")], track.values[shut][:, columns("jaw")]
    )
    assert ((mixed.values >= LOW) & (mixed.values <= HIGH)).all()


def test_the_sentence_is_shown_where_the_driver_shows_little_of_it() -> None:
    face = torch.zeros(len(PARAMETERS))
    face[columns("smile")] = 0.7
    mixed = beside_speech(speaking(), face)
    assert float(mixed["smile"].min()) > 0.6
    weaker = beside_speech(speaking(), face, strength=0.3)
    assert 0.1 < float(weaker["smile"].mean()) < float(mixed["smile"].mean())


def test_a_driver_that_shows_more_keeps_it() -> None:
    track = Track.of({"brow_lower": [0.9, 0.9], "jaw_open": [0.1, 0.1]})
    face = torch.zeros(len(PARAMETERS))
    face[columns("brow_lower")] = 0.2
    assert beside_speech(track, face)["brow_lower"].tolist() == pytest.approx([0.9, 0.9])


def test_the_face_rises_and_falls_with_the_driver() -> None:
    swell = torch.cat([torch.full((50,), 0.1), torch.full((50,), 0.3)])
    face = torch.zeros(len(PARAMETERS))
    face[columns("smile")] = 0.6
    smile = beside_speech(Track.of({"smile": swell}), face)["smile"]
    assert float(smile[90]) > 1.15 * float(smile[10])


def test_rounded_lips_let_go_of_a_smile() -> None:
    track = Track.of({"lip_pucker": [0.0, 1.0]})
    face = torch.zeros(len(PARAMETERS))
    face[columns("smile")] = 0.6
    wide, rounded = beside_speech(track, face)["smile"].tolist()
    assert rounded < 0.7 * wide
