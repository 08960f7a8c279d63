"""The table of languages, on mouths that are right and mouths of other recordings."""

from __future__ import annotations

import numpy as np
import pytest

from eadnet.rig.expression import INDEX
from eadnet.synthetic.sentences import languages
from experiments.motion.languages import language_cases, row


@pytest.mark.parametrize("language", ["en", "cmn"])
def test_cases_are_spoken_and_have_the_mouths_of_their_phonemes(language: str) -> None:
    cases = language_cases(language, 3, 96)
    assert len({case.waveform.numpy().tobytes() for case in cases}) == 3
    for case in cases:
        assert len(case.waveform) == 96 * 640 and case.truth.shape[0] == 96
        power = case.waveform.reshape(96, 640).square().mean(1).numpy()
        jaw = case.truth[:, INDEX["jaw_open"]]
        assert jaw[power > power.max() / 10].mean() > jaw[power < power.max() / 1e4].mean()


def test_every_language_has_cases() -> None:
    assert len(languages()) == 9
    for language in languages():
        (case,) = language_cases(language, 1, 96)
        assert float(case.waveform.abs().max()) > 0.05 and case.truth[:, INDEX["jaw_open"]].std() > 0.02


def test_right_mouths_have_an_r_of_one_and_those_of_other_recordings_have_not() -> None:
    cases = language_cases("de", 4, 96)
    right = row("de", cases, [case.truth for case in cases]).split("|")
    assert right[3].split()[0] == "1.000" and abs(float(right[4])) < 0.6
    assert right[5].strip() == "+0" and right[6].split() == ["1.000", "(0.000)"]
    wrong = row("de", cases, [np.roll(case.truth, 30, 0) for case in cases]).split("|")
    assert float(wrong[3].split()[0]) < 0.6
    late = row("de", cases, [np.roll(case.truth, 2, 0) for case in cases]).split("|")
    assert late[5].strip() == "+2"
