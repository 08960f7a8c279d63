"""The page of the evaluation: the table, real recordings, and the errors of the regressors themselves."""

from __future__ import annotations

import numpy as np
import torch

from eadnet.training.data.clips import ClipSet, labels_of
from eadnet.training.data.images import to_model_range
from eadnet.training.regressors.pictures import explained_variance
from experiments.world.identity import FACTORS, IdentityRegressor, factors, landmarks, people
from experiments.world.measures import Measured, expression_r
from experiments.world.summary import as_markdown, summarise
from experiments.world.takes import TakeStore


def page(
    store: TakeStore, measured: Measured, wanted: int, recordings: dict[str, dict[str, float]]
) -> list[str]:
    """The lines of `world.md` on the measured clips, of which `wanted` were to be made; `recordings` are the
    rows of real recordings, if any.
    """
    count, frames = len(measured.rows), store.clips.frames.shape[1]
    short = "" if count == wanted else f" (of {wanted}; the others are not done)"
    lines = [
        f"# On the {store.split} world",
        "",
        f"{count} clips of {frames} frames{short}: people, voices, sentences and phrasings that no "
        f"training clip used. From one calm portrait, {store.renderer.described()}, TFRM on. Repeat with "
        f"`python -m experiments world --world {store.split} --count {wanted}`.",
        "",
        "The ceiling is the same measure of the true renders through the same autoencoder. One "
        "classifier reads emotions off all faces. Shares have Wilson's intervals, the mean r of the "
        "expression one from redrawing clips, all else Student's.",
        "",
        "![Mouth, lags, accuracies, readings](world.png)",
        "",
        "![True frames above, generated ones below, behind their portrait](clips.png)",
        "",
        *as_markdown(summarise(measured)),
        "",
    ]
    return lines + _recordings(recordings) + _regressors(store, expression_r(measured))


def _recordings(rows: dict[str, dict[str, float]]) -> list[str]:
    if not rows:
        return []
    lines = ["## Real recordings", "", "r of the mouth's opening with the speech's envelope.", ""]
    lines += ["| recording | own | the others', mean | best lag, frames |", "|---|---:|---:|---:|"]
    for name, row in rows.items():
        lines.append(f"| {name} | {row['own']:.2f} | {row['mismatched']:.2f} | {row['best lag']:.0f} |")
    return [*lines, ""]


def _regressors(store: TakeStore, agreement: dict[str, tuple[float, float]]) -> list[str]:
    trust = explained_variance(store.regressor, store.clips)
    points, who = identity_errors(store.identity, store.clips, store.split)
    lines = [
        "## Errors of the regressors",
        "",
        "R² on these clips as rendered: a score on a reading is worth no more than this. Landmarks are "
        f"read {points:.2f} pixels off on average. Beside it, where the ceiling is above 0.5, r over clips "
        "of the reading's mean with the truth.",
        "",
        "| reading | R² | generated r | ceiling r |",
        "|---|---:|---:|---:|",
    ]
    for name, value in trust.items():
        own, best = (f"{r:.2f}" for r in agreement[name]) if name in agreement else ("", "")
        lines.append(f"| {name} | {_r2(value)} | {own} | {best} |")
    lines += ["", "| identity | R² |", "|---|---:|"]
    lines += [f"| {name} | {_r2(value)} |" for name, value in zip(FACTORS, who, strict=True)]
    return lines


def _r2(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "does not vary"


@torch.no_grad()
def identity_errors(identity: IdentityRegressor, clips: ClipSet, split: str) -> tuple[float, list[float]]:
    """Mean distance of landmarks in pixels, and R² of every factor, on true renders, a few frames a clip."""
    moments = np.linspace(0, clips.frames.shape[1] - 1, 4).round().astype(int)
    off, read, true = [], [], []
    for row, who in enumerate(people(clips, split)):
        points, factor = identity.read(to_model_range(clips.frames[row][moments]))
        truth = torch.from_numpy(landmarks(who, labels_of(clips).params[row][moments], clips.frames.shape[2]))
        off.append(float((points - truth).norm(dim=-1).mean()))
        read.append(factor.mean(0))
        true.append(torch.from_numpy(factors(who)))
    a, b = torch.stack(read), torch.stack(true)
    r2 = 1 - (a - b).square().mean(0) / b.var(0, unbiased=False).clamp_min(1e-9)
    return float(np.mean(off)), r2.tolist()
