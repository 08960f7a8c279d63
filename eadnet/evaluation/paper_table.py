"""`eadnet evaluate --protocol`: a protocol's clips beside the real ones, as papers print them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from .. import __version__
from ..errors import InputError
from .columns import METRICS, SYNC_NETWORKS, Metric
from .folder import evaluate, list_videos
from .leakage import Leakage, leakage
from .networks import find_networks
from .protocols import Protocol
from .results import Evaluation

TABLE = "table.md"


@dataclass(frozen=True)
class PaperTable:
    """What was made, what is real, and the sentences under the table."""

    protocol: Protocol
    made: Evaluation
    real: Evaluation
    leak: Leakage | None
    notes: list[str]

    def markdown(self, name: str) -> str:
        """A table in the papers' format: the ground truth's row, then what was made."""
        columns = [m for m in METRICS if m.key in self.made.totals and not m.key.endswith("_offset")]
        head = [f"{m.title} {'↑' if m.better > 0 else '↓'}" if m.better else m.title for m in columns]
        head += [f"{one.title} ↓" for one in self.made.sets]
        real = [_cell(self.real, m) for m in columns] + ["0" for _ in self.made.sets]
        made = [_cell(self.made, m) for m in columns] + [f"{one.value:.2f}" for one in self.made.sets]
        if self.leak is not None:
            head.append("silent mouth, share ↓")
            real.append("–")
            made.append(f"{self.leak.share:.2f}")
        rows = [["", *head], ["---"] + ["---:"] * len(head), ["Ground truth", *real], [name, *made]]
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        return "\n".join([*lines, "", *self.notes, ""])


def _cell(evaluation: Evaluation, metric: Metric) -> str:
    """A mean with half of its 95 % interval; of what compares with the truth, the truth has none."""
    total = evaluation.totals.get(metric.key)
    if total is None:
        return "–"
    return f"{total.mean:.{metric.digits}f} ± {(total.high - total.low) / 2:.{metric.digits}f}"


def exaggerated(made: Evaluation, real: Evaluation) -> list[str]:
    """A warning for every score by which what was made is better than what is real."""
    found = []
    for metric in METRICS:
        if not metric.key.startswith(SYNC_NETWORKS) or not metric.better:
            continue
        ours, theirs = made.totals.get(metric.key), real.totals.get(metric.key)
        if ours is None or theirs is None or metric.better * (ours.mean - theirs.mean) <= 0:
            continue
        found.append(
            f"**Exaggerated:** {metric.title} is {ours.mean:.3f}, better than the real clips' "
            f"{theirs.mean:.3f}: these lips move more plainly than people's do."
        )
    return found


def paper_table(
    protocol: Protocol,
    generated: Path,
    reference: Path,
    out: Path,
    models: Path | None = None,
    mini: Path | None = None,
    faces: bool = True,
    silent: Path | None = None,
    on_clip: Callable[[int, int], None] | None = None,
) -> PaperTable:
    """Score the clips of a protocol and the real ones, and write `table.md` beside the reports of both.

    Args:
        generated, reference: folders of videos of the same names.
        silent: folder of videos made with silent sound; None: no leakage.
        models, mini, faces, on_clip: see `evaluate`.

    Raises InputError where no clip of the protocol is in both folders, and as `evaluate` does.
    """
    theirs = {path.stem for path in list_videos(reference) if protocol.takes(path.stem)}
    ours = {path.stem for path in list_videos(generated)}
    both = ours & theirs
    if not both:
        raise InputError(
            f"No video of {generated} and {reference} is of the protocol {protocol.name} ({protocol.clips}): "
            "name them as the data set does."
        )
    labels = {name: label for name in both if (label := protocol.label(name))}

    def score(folder: Path, to: Path, truth: Path | None) -> Evaluation:
        return evaluate(
            folder, to, truth, models, mini, faces, on_clip, choose=both.__contains__, labels=labels
        )

    made, real = score(generated, out, reference), score(reference, out / "ground_truth", None)
    networks = find_networks(models, mini, faces)
    notes = [
        f"{protocol.clips}: {len(both)} clips"
        + (f" of {len(theirs)} real ones, {len(theirs - both)} were not made." if theirs - both else ".")
    ]
    if left := len(ours - both):
        notes.append(
            f"{left} videos of the folder are not of the protocol or have no real clip: not counted."
        )
    notes += [f"{clip.name} was not scored: {clip.problem}" for clip in made.not_scored()]
    leak = None
    if silent is not None:
        videos = [path for path in list_videos(generated) if path.stem in both]
        try:
            leak = leakage(list_videos(silent), videos, networks)
            notes.append(
                f"Silent mouth: the lips' movement with silent sound ({leak.silent.mean:.4f} of the eyes' "
                f"distance, {leak.silent.count} clips) over that with sound ({leak.speaking.mean:.4f})."
            )
        except InputError as error:
            notes.append(f"Silent mouth: not computed: {error}")
    else:
        notes.append("Silent mouth: not computed: no videos made with silent sound (--silent).")
    notes += [f"{title}: not computed: {reason}" for title, reason in sorted(made.missing.items())]
    notes += exaggerated(made, real)
    if networks.expressions is not None and labels:
        notes.append("Acc_emo is by face-api.js's expressions, which know no contempt; such clips have none.")
    notes.append(_versions(networks.files))
    table = PaperTable(protocol, made, real, leak, notes)
    (out / TABLE).write_text(table.markdown(generated.name), encoding="utf-8")
    return table


def _versions(files: Sequence[Path]) -> str:
    named = ", ".join(sorted(path.name for path in files)) or "none"
    versions = f"EAD-Net {__version__}, torch {torch.__version__}"
    return f"{versions}; networks: {named}. ± is half of the 95 % interval."
