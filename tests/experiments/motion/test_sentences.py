"""What is read of a sentence: a model that shows what is meant is told from one that shows nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from eadnet.driving.motion import MotionModel
from eadnet.rig.expression import EMOTIONS, INDEX, PARAMETERS
from eadnet.rig.track import Track
from eadnet.synthetic import lexicon
from experiments.emotion.following import FEATURES
from experiments.motion import sentences
from experiments.motion.measures import Array, Case
from experiments.words import everyday, meanings


class Encoder:
    uses_thesaurus = True


class Model:
    text_encoder = Encoder()


MODEL: MotionModel = Model()  # type: ignore[assignment]


def rows(lines: Sequence[str]) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {first: others for first, *others in cells}


def test_a_model_that_shows_what_words_mean_has_an_r_of_one_and_one_that_shuffles_them_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {word.text: word for word in (*lexicon.unseen(), *lexicon.words("test"))}
    plain = {
        emotion: lexicon.words("train", emotion, "high" if emotion != "neutral" else None)[0]
        for emotion in EMOTIONS
    }
    known |= {text: plain[emotion] for text, emotion in everyday().items()}

    def shown(model: MotionModel, texts: Sequence[str], shift: int = 0) -> Array:
        """Nothing where words are read by their letters."""
        faces = np.roll(meanings([known[text] for text in texts]), shift, 0)
        return faces * model.text_encoder.uses_thesaurus

    monkeypatch.setattr(sentences, "faces", shown)
    right = rows(sentences.words(MODEL, trained=30))
    count, letters, with_it, *_ = right["unseen"]
    assert (count, letters[:4]) == ("100", "0.00") and with_it.startswith("**1.00")
    assert right["in no clip, but in the encoder's training"][0] == "30"
    assert right["everyday words, not in the lexicon"][-1].startswith("**100%")
    monkeypatch.setattr(sentences, "faces", lambda model, texts: shown(model, texts, 7))
    wrong = rows(sentences.words(MODEL, trained=30))
    assert float(wrong["unseen"][2].strip("*").split()[0]) < 0.3


@pytest.mark.parametrize(("strength", "stray", "kept"), [(0.9, 0.0, 8), (0.9, 0.6, 0), (0.3, 0.0, 0)])
def test_a_feature_is_kept_where_it_moves_alone_and_far_enough(
    monkeypatch: pytest.MonkeyPatch, strength: float, stray: float, kept: int
) -> None:
    def shown(model: MotionModel, texts: Sequence[str]) -> Array:
        faces = np.zeros((len(texts), len(PARAMETERS)))
        for face, text in zip(faces, texts, strict=True):
            for name in FEATURES.get(text, ()):
                face[INDEX[name]] = strength
            if text in FEATURES:
                face[INDEX["chin_raise"]] = stray
        return faces

    monkeypatch.setattr(sentences, "faces", shown)
    assert sentences.features(MODEL)[-1] == f"Kept: {kept} of 8."


def test_the_cost_of_a_sentence_is_what_the_mouth_follows_worse_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    cases = []
    for _ in range(6):
        truth = np.zeros((200, len(PARAMETERS)), np.float32)
        truth[:, INDEX["jaw_open"]] = rng.uniform(0, 1, 200)
        cases.append(Case(torch.zeros(16000), "sad", truth, truth[0]))
    asked: list[float | None] = []

    def made(speech, text, frames, *, model, settings):
        asked.append(settings.emotion_guidance)
        values = torch.from_numpy(cases[settings.seed].truth.copy())
        if text:
            noise = torch.from_numpy(rng.normal(size=frames)).float()
            values[:, INDEX["jaw_open"]] += 0.3 * (settings.emotion_guidance or 1.6) / 1.6 * noise
        return Track(values, 25.0)

    monkeypatch.setattr(sentences, "shipped_track", made)
    shipped, weak = sentences.cost(MODEL, cases, [None, 0.4])
    assert "guidance as it ships" in shipped and "without 1.000, 6 recordings" in shipped
    assert 15 < float(shipped.split("cost ")[1].split(" %")[0]) < 45
    assert "guidance 0.4" in weak and 0 < float(weak.split("cost ")[1].split(" %")[0]) < 10
    assert asked == [None] * 12 + [0.4] * 6
