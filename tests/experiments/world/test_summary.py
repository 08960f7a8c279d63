"""The verdicts of the table: what meets the goals, what misses them, and that misses are shown."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.readings import NAMES
from experiments.world.charts import accuracies, charts
from experiments.world.measures import Measured, expression_interval, expression_r
from experiments.world.summary import as_markdown, summarise
from tests.quick import some

PERFECT = {
    "mouth": 0.95,
    "mouth, ceiling": 0.98,
    "mouth, mismatched": 0.02,
    "mouth, loudness alone": 0.45,
    "mouth, no text": 0.96,
    "mouth, video input": 0.94,
    "lag": 0.0,
    "closed": 0.9,
    "closed, ceiling": 0.97,
    "closed, still portrait": 1.0,
    "closed, elsewhere": 0.2,
    "closed, vowels": 0.05,
    "closed, vowels, ceiling": 0.02,
    "width": 0.8,
    "width, ceiling": 0.9,
    "emotion": 1.0,
    "emotion, ceiling": 1.0,
    "emotion, no text": 0.0,
    "emotion, still portrait": 0.0,
    "swapped text": 1.0,
    "swapped text, ceiling": 1.0,
    "swapped text: own emotion": 0.0,
    "swapped text, seen phrasing": 1.0,
    "swapped text, no audio": 1.0,
    "swapped text, no text": 0.0,
    "psnr": 25.0,
    "psnr, ceiling": 30.0,
    "psnr, copied portrait": 19.0,
    "identity": 0.5,
    "identity, ceiling": 0.45,
    "identity, a stranger": 1.1,
    "acceleration": 1.0,
    "acceleration, ceiling": 1.0,
    "jitter of landmarks": 1.1,
    "jitter of landmarks, ceiling": 1.05,
    "flicker": 1.1,
    "flicker, ceiling": 1.0,
    "kept outside": 1.0,
    "processor seconds": 6.0,
    "seconds": 3.2,
}
WORSE = {
    "mouth": 0.7,
    "mouth, mismatched": 0.3,
    "closed": 0.5,
    "width": 0.4,
    "emotion": 0.0,
    "swapped text": 0.0,
    "swapped text: own emotion": 1.0,
    "swapped text, no audio": 1.0,
    "psnr": 21.0,
    "identity": 0.9,
    "kept outside": 0.99,
    "acceleration": 1.5,
    "jitter of landmarks": 2.0,
    "flicker": 3.0,
    "processor seconds": 11.0,
    "seconds": 9.0,
}


def measured(changes: dict[str, float], agree: bool = True, count: int = 24) -> Measured:
    rng = np.random.default_rng(0)
    found = Measured()
    for index in range(count):
        found.clips.append(index)
        found.rows.append({name: value + 1e-9 * index for name, value in (PERFECT | changes).items()})
        found.levels.append(("low", "medium", "high")[index % 3])
        found.swapped_levels.append(("low", "medium", "high")[index // 8])
        lags = np.linspace(-1, 1, 11)
        found.lags["own"].append(0.9 - (lags if agree else lags - 0.4) ** 2)
        found.lags["mismatched"].append(np.zeros(11))
        truth = rng.normal(size=len(NAMES))
        found.means["truth"].append(truth)
        found.means["ceiling"].append(truth + 0.01 * rng.normal(size=len(NAMES)))
        found.means["generated"].append(truth if agree else rng.normal(size=len(NAMES)))
        found.curves.append((np.sin(np.arange(20.0)), np.sin(np.arange(20.0))))
    found.rows = [
        {
            k: (
                round(v)
                if k.startswith(("emotion", "swapped text", "kept outside"))
                and (PERFECT | changes)[k] in (0, 1)
                else v
            )
            for k, v in r.items()
        }
        for r in found.rows
    ]
    return found


def verdicts(found: Measured) -> dict[str, bool | None]:
    return {line.name: line.met for lines in summarise(found).values() for line in lines}


def test_a_model_that_does_everything_meets_every_goal():
    met = verdicts(measured({}))
    assert len(met) >= 20 and all(met.values()), {k: v for k, v in met.items() if not v}


@pytest.mark.parametrize(
    ("change", "line"),
    some(
        5,
        [
            ("mouth", "opening, r with the truth"),
            ("mouth", "the same above loudness alone"),
            ("mouth", "mouth r lost when the emotion is on, share"),
            ("mouth, mismatched", "r with another clip's truth"),
            ("closed", "lips shut on p, b, m"),
            ("width", "width, r with the truth"),
            ("emotion", "emotion read off the face"),
            ("emotion", "own text, low intensity (8 clips)"),
            ("swapped text", "swapped text: its emotion read"),
            ("swapped text", "swapped text, high intensity (8 clips)"),
            ("swapped text", "held-out phrasing less seen phrasing"),
            ("swapped text", "emotion accuracy lost when the sound is on"),
            ("swapped text: own emotion", "swapped text: the clip's own emotion read"),
            ("psnr", "PSNR in the mask, dB"),
            ("psnr", "the same above the copied portrait, dB"),
            ("identity", "identity error, spreads"),
            ("kept outside", "pixels outside the mask kept to the bit"),
            ("acceleration", "jitter of pixels, of the truth's"),
            ("jitter of landmarks", "jitter of landmarks, of the truth's"),
            ("flicker", "flicker where the truth is still, of the truth's"),
        ],
    ),
)
def test_each_shortfall_misses_its_own_goal(change: str, line: str):
    assert verdicts(measured({change: WORSE[change]}))[line] is False


def test_a_slow_clock_is_a_miss_only_when_the_work_itself_is_too_much():
    line = "seconds for a second of video"
    assert verdicts(measured({"seconds": 9.0}))[line] is None
    assert verdicts(measured({"seconds": 9.0, "processor seconds": 11.0}))[line] is False


def test_faces_that_have_nothing_to_do_with_the_truth_miss_and_so_does_a_late_mouth():
    met = verdicts(measured({}, agree=False))
    assert met["expression, mean r over clips"] is False and met["best lag, frames"] is False


def test_the_page_shows_misses_and_values_that_no_clip_can_tell():
    lines = as_markdown(summarise(measured({"psnr": 21.0, "closed": float("nan")})))
    assert any("PSNR in the mask" in line and "**no**" in line for line in lines)
    assert any("lips shut" in line and "nan" in line and "**no**" in line for line in lines)


def test_a_ceiling_of_nothing_is_neither_met_nor_missed():
    met = verdicts(measured({"mouth, ceiling": 0.0, "emotion, ceiling": 0.0}))
    assert met["opening, r with the truth"] is None and met["emotion read off the face"] is None


def test_the_mean_r_has_an_interval_around_it():
    found = measured({}, agree=False)
    generated, low, high, ceiling = expression_interval(found)
    assert low < generated < high and ceiling > 0.99
    assert set(expression_r(found)) == set(NAMES)


def test_the_charts_are_drawn_with_and_without_a_level():
    found = measured({})
    assert [name for name, _, _ in accuracies(found)][:2] == ["own text", "own text low"]
    picture = charts(found)
    assert picture.dtype == np.uint8 and picture.std() > 10
