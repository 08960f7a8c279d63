"""The table: every number with its interval, its ceiling, its controls, and its acceptance criterion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eadnet.metrics.intervals import Interval, mean_interval, share_interval
from experiments.world.measures import Measured, expression_interval

CHANCE = 1 / 8


@dataclass(frozen=True)
class Line:
    """One row: the acceptance `criterion` in words, `met` None where there is none or it was not measured."""

    name: str
    value: Interval
    ceiling: float | None = None
    controls: str = ""
    criterion: str = ""
    met: bool | None = None
    digits: int = 3


def _share(values: Sequence[float]) -> Interval:
    finite = [value for value in values if math.isfinite(value)]
    return share_interval(round(sum(finite)), len(finite))


def _mean(values: Sequence[float]) -> float:
    return mean_interval(values).mean


def _differences(a: Sequence[float], b: Sequence[float]) -> Interval:
    return mean_interval([x - y for x, y in zip(a, b, strict=True)])


def _reaches(value: float, share: float, ceiling: float) -> bool | None:
    """Whether a share of the ceiling is reached; None where the ceiling itself is nothing to reach."""
    return value >= share * ceiling if ceiling > 0.1 else None


def summarise(measured: Measured) -> dict[str, list[Line]]:
    """The lines of the table by heading."""
    return {
        "Mouth": _mouth(measured),
        "Expression": _expression(measured),
        "Together": _together(measured),
        "Picture": _picture(measured),
        "Speed": _speed(measured),
    }


def _mouth(m: Measured) -> list[Line]:
    own, ceiling = mean_interval(m.column("mouth")), _mean(m.column("mouth, ceiling"))
    gain = _differences(m.column("mouth"), m.column("mouth, loudness alone"))
    wrong = mean_interval(m.column("mouth, mismatched"))
    lag = mean_interval(m.column("lag"))
    together = np.stack(m.lags["own"]).mean(0)
    best = int(together.argmax()) - len(together) // 2
    closed, width = mean_interval(m.column("closed")), mean_interval(m.column("width"))
    vowels = f"another clip's times {_mean(m.column('closed, elsewhere')):.2f}, "
    vowels += f"stressed vowels {_mean(m.column('closed, vowels')):.2f}"
    vowels += f" (true {_mean(m.column('closed, vowels, ceiling')):.2f})"
    vowels += f", still portrait {_mean(m.column('closed, still portrait')):.2f}"
    return [
        Line(
            "opening, r with the truth",
            own,
            ceiling,
            f"video input {_mean(m.column('mouth, video input')):.3f}",
            "0.92 of the ceiling",
            _reaches(own.mean, 0.92, ceiling),
        ),
        Line(
            "the same above loudness alone",
            gain,
            None,
            f"loudness {_mean(m.column('mouth, loudness alone')):.3f}",
            "0.3 or more",
            gain.mean >= 0.3,
        ),
        Line("r with another clip's truth", wrong, None, "", "0.1 or less", abs(wrong.mean) <= 0.1),
        Line("best lag, frames", lag, 0, f"of the mean curve {best:+d}", "0", best == 0, 2),
        Line(
            "lips shut on p, b, m",
            closed,
            _mean(m.column("closed, ceiling")),
            vowels,
            "0.80 or more",
            closed.mean >= 0.8,
        ),
        Line(
            "width, r with the truth",
            width,
            _mean(m.column("width, ceiling")),
            "",
            "0.6 or more",
            width.mean >= 0.6,
        ),
    ]


def _expression(m: Measured) -> list[Line]:
    lines = [_accuracy("emotion read off the face", m, "emotion", range(len(m.rows)))]
    for level in ("low", "medium", "high"):
        rows = [i for i, found in enumerate(m.levels) if found == level]
        if rows:
            lines.append(_accuracy(f"own text, {level} intensity ({len(rows)} clips)", m, "emotion", rows))
    lines.append(_accuracy("swapped text: its emotion read", m, "swapped text", range(len(m.rows)), 0.85))
    for level in ("low", "medium", "high"):
        rows = [i for i, found in enumerate(m.swapped_levels) if found == level]
        if rows:
            lines.append(
                _accuracy(f"swapped text, {level} intensity ({len(rows)} clips)", m, "swapped text", rows)
            )
    own = _share(m.column("swapped text: own emotion"))
    lines.append(
        Line(
            "swapped text: the clip's own emotion read",
            own,
            None,
            f"chance {CHANCE:.3f}",
            "chance",
            own.low <= CHANCE,
        )
    )
    phrasing = _differences(m.column("swapped text"), m.column("swapped text, seen phrasing"))
    lines.append(
        Line(
            "held-out phrasing less seen phrasing",
            phrasing,
            None,
            f"seen {_mean(m.column('swapped text, seen phrasing')):.3f}",
            "-0.05 or more",
            phrasing.mean >= -0.05,
        )
    )
    generated, low, high, ceiling = expression_interval(m)
    lines.append(
        Line(
            "expression, mean r over clips",
            Interval(generated, low, high, len(m.rows)),
            ceiling,
            "",
            "0.9 of the ceiling",
            _reaches(generated, 0.9, ceiling),
        )
    )
    return lines


def _accuracy(
    name: str, m: Measured, column: str, rows: Sequence[int], absolute: float | None = None
) -> Line:
    chosen = [m.rows[i] for i in rows]
    value = _share([row[column] for row in chosen])
    ceiling = _share([row[f"{column}, ceiling"] for row in chosen]).mean
    controls = f"no text {_share([row[f'{column}, no text'] for row in chosen]).mean:.2f}"
    if column == "emotion":
        controls += f", still portrait {_share([row['emotion, still portrait'] for row in chosen]).mean:.2f}"
    if absolute is None:
        met = _reaches(value.mean, 0.9, ceiling)
        return Line(name, value, ceiling, controls, "0.9 of the ceiling", met)
    return Line(name, value, ceiling, controls, f"{absolute:.2f} or more", value.mean >= absolute)


def _together(m: Measured) -> list[Line]:
    off = _mean(m.column("mouth, no text"))
    loss = [b - a for a, b in zip(m.column("mouth"), m.column("mouth, no text"), strict=True)]
    share = mean_interval([value / off for value in loss])
    loss_with_sound = _differences(m.column("swapped text, no audio"), m.column("swapped text"))
    return [
        Line(
            "mouth r lost when the emotion is on, share",
            share,
            None,
            f"emotion off {off:.3f}",
            "0.05 or less",
            share.mean <= 0.05,
        ),
        Line(
            "emotion accuracy lost when the sound is on",
            loss_with_sound,
            None,
            f"sound off {_mean(m.column('swapped text, no audio')):.3f}",
            "0.05 or less",
            loss_with_sound.mean <= 0.05,
        ),
    ]


def _picture(m: Measured) -> list[Line]:
    psnr = mean_interval(m.column("psnr"))
    gain = _differences(m.column("psnr"), m.column("psnr, copied portrait"))
    identity, best = mean_interval(m.column("identity")), _mean(m.column("identity, ceiling"))
    kept = mean_interval(m.column("kept outside"))
    lines = [
        Line(
            "PSNR in the mask, dB",
            psnr,
            _mean(m.column("psnr, ceiling")),
            f"copied portrait {_mean(m.column('psnr, copied portrait')):.1f}",
            "24 or more",
            psnr.mean >= 24,
            1,
        ),
        Line("the same above the copied portrait, dB", gain, None, "", "5 or more", gain.mean >= 5, 1),
        Line(
            "identity error, spreads",
            identity,
            best,
            f"another identity {_mean(m.column('identity, a stranger')):.2f}",
            "1.25 of the ceiling",
            identity.mean <= 1.25 * best,
        ),
        Line("pixels outside the mask kept to the bit", kept, 1.0, "", "1", kept.mean == 1, 4),
    ]
    for name, words in (
        ("acceleration", "jitter of pixels, of the truth's"),
        ("jitter of landmarks", "jitter of landmarks, of the truth's"),
        ("flicker", "flicker where the truth is still, of the truth's"),
    ):
        value = mean_interval(m.column(name))
        ceiling = _mean(m.column(f"{name}, ceiling"))
        lines.append(Line(words, value, ceiling, "", "1.2 or less", value.mean <= 1.2, 2))
    return lines


def _speed(m: Measured) -> list[Line]:
    wall = mean_interval(m.column("seconds"))
    worked = _mean(m.column("processor seconds"))
    # On a busy machine the clock says nothing; what two cores could do at best still does.
    met = True if wall.mean <= 4 else False if worked > 8 else None
    return [
        Line(
            "seconds for a second of video",
            wall,
            None,
            f"processor seconds {worked:.1f}",
            "4 or less on 2 idle cores",
            met,
            1,
        )
    ]


def as_markdown(lines: dict[str, list[Line]]) -> list[str]:
    """The table as lines of Markdown."""
    text = [
        "| measure | mean | 95 % | ceiling | controls | criterion | met |",
        "|---|---:|---:|---:|---|---|---|",
    ]
    for heading, rows in lines.items():
        text.append(f"| **{heading}** | | | | | | |")
        text += [_row(line) for line in rows]
    return text


def _row(line: Line) -> str:
    digits = line.digits
    ceiling = "" if line.ceiling is None else f"{line.ceiling:.{digits}f}"
    met = {None: "", True: "yes", False: "**no**"}[None if line.met is None else bool(line.met)]
    between = f"{line.value.low:.{digits}f} … {line.value.high:.{digits}f}"
    return (
        f"| {line.name} | {line.value.mean:.{digits}f} | {between} | {ceiling} | {line.controls} | "
        f"{line.criterion} | {met} |"
    )
