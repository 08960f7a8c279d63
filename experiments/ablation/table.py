"""Variants side by side, and each against the full model seed by seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from eadnet.metrics.intervals import Interval, mean_interval
from experiments.ablation.variants import FULL, Variant

MEASURES: dict[str, tuple[str, int]] = {
    "mouth": ("mouth r", 3),
    "mouth, mismatched": ("another's sound", 3),
    "emotion": ("emotion read", 3),
    "expression": ("expression r", 3),
    "sync confidence": ("sync confidence", 3),
    "PSNR": ("PSNR, dB", 2),
    "jitter": ("jitter, of the truth's", 2),
}
"""Measures with their headings and digits."""

Results = Mapping[str, Mapping[int, Mapping[str, float]]]
"""Numbers by the variant's name, seed and measure."""


Measures = Mapping[str, tuple[str, int]]


def differences(results: Results, variant: Variant, measure: str) -> Interval:
    """The variant less the full model, seed by seed (both saw the same batches and noise of a seed)."""
    own, full = results[variant.name], results[FULL.name]
    return mean_interval([own[seed][measure] - full[seed][measure] for seed in own if seed in full])


def as_markdown(
    results: Results,
    variants: Sequence[Variant],
    ceiling: Mapping[str, float],
    measures: Measures = MEASURES,
    ceiling_name: str = "true clips through the autoencoder",
) -> list[str]:
    """Two tables: means over seeds with 95 % intervals (Student's t), and paired differences to the full
    model, in bold where the interval leaves 0 out.
    """
    shown = [variant for variant in variants if results.get(variant.name)]
    heads = [title for title, _ in measures.values()]
    lines = [f"| | seeds | {' | '.join(heads)} |", f"|---|---:|{'---:|' * len(heads)}"]
    for variant in shown:
        rows = results[variant.name]
        cells = [
            _value(mean_interval([row[name] for row in rows.values()]), digits)
            for name, (_, digits) in measures.items()
        ]
        lines.append(f"| {variant.name} | {len(rows)} | {' | '.join(cells)} |")
    best = [_number(ceiling.get(name, math.nan), digits) for name, (_, digits) in measures.items()]
    lines.append(f"| {ceiling_name} | | {' | '.join(best)} |")
    if not results.get(FULL.name):
        return lines
    lines += ["", "Less the full model, seed by seed; bold where the interval leaves 0 out:", ""]
    lines += [f"| | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for variant in shown:
        if variant != FULL:
            cells = [
                _difference(differences(results, variant, name), digits)
                for name, (_, digits) in measures.items()
            ]
            lines.append(f"| {variant.name} | {' | '.join(cells)} |")
    return lines


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def _value(interval: Interval, digits: int) -> str:
    text = _number(interval.mean, digits)
    return f"{text} ± {interval.half_width:.{digits}f}" if math.isfinite(interval.half_width) else text


def _difference(interval: Interval, digits: int) -> str:
    if not math.isfinite(interval.mean):
        return "–"
    text = f"{interval.mean:+.{digits}f}"
    if not math.isfinite(interval.half_width):
        return text
    text += f" ± {interval.half_width:.{digits}f}"
    return f"**{text}**" if interval.low > 0 or interval.high < 0 else text
