"""What an evaluation found, over all clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..metrics.intervals import Interval, mean_interval, share_interval
from .clip import ClipResult
from .columns import METRICS, SYNC_NETWORKS, Metric
from .sets import SetDistance


@dataclass(frozen=True)
class Evaluation:
    """All clips, the totals with their intervals, distances between the sets, and what was not computed."""

    clips: list[ClipResult]
    totals: dict[str, Interval]
    missing: dict[str, str]
    sets: list[SetDistance] = field(default_factory=list)

    def metrics(self) -> list[Metric]:
        """The columns that have a number."""
        return [metric for metric in METRICS if metric.key in self.totals]

    def not_scored(self) -> list[ClipResult]:
        """Clips without a face, and files that cannot be read."""
        return [clip for clip in self.clips if clip.problem]


def values_of(clips: Sequence[ClipResult], metric: Metric) -> list[float]:
    """A metric of every clip that has it; offsets by their size, as early and late would cancel."""
    values = [clip.scores[metric.key] for clip in clips if metric.key in clip.scores]
    return [abs(value) for value in values] if metric.key.endswith("_offset") else values


def totals(clips: Sequence[ClipResult]) -> dict[str, Interval]:
    """Mean over clips with 95 % interval of every metric that any clip has; offsets count by their size."""
    result = {}
    for metric in METRICS:
        values = values_of(clips, metric)
        if not values:
            continue
        if metric.key == "expression":
            result[metric.key] = share_interval(int(sum(values)), len(values))
        else:
            result[metric.key] = mean_interval(values)
    return result


def worst_clips(evaluation: Evaluation, count: int = 5) -> list[ClipResult]:
    """Clips to look at first: the lowest confidence, else the lowest SSIM, else the most flicker."""
    for key, sign in (*((f"{name}_confidence", 1) for name in SYNC_NETWORKS), ("ssim", 1), ("flicker", -1)):
        having = [clip for clip in evaluation.clips if key in clip.scores]
        if having:
            return sorted(having, key=lambda clip: sign * clip.scores[key])[:count]
    return [clip for clip in evaluation.clips if not clip.problem][:count]
