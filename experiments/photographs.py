"""How well photographs are distinguished from drawings, so that `mini` can say when it gets one.

    python -m experiments photographs STILLS... --drawn .work/mini/validation

`--drawn` is a folder of rendered clips (`eadnet synth make`), whose portraits are the drawings.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eadnet.checkpoints import bundled_mini, load_checkpoint
from eadnet.faces.crops import prepare_portrait
from eadnet.faces.drawn import FLATTEST_PHOTOGRAPH, WORST_DRAWING, line_contrast, returned
from eadnet.media.images import read_image
from eadnet.modules.autoencoder import MiniAutoencoder
from experiments.paths import RESULTS


@torch.no_grad()
def measured(pictures: Tensor, vae: MiniAutoencoder) -> tuple[np.ndarray, np.ndarray]:
    """Line contrast and PSNR after the VAE of crops [N, 3, 128, 128] in 0..1."""
    again = torch.cat([vae.decode(vae.encode(part * 2 - 1)) for part in pictures.split(16)])
    return line_contrast(pictures).numpy(), returned(pictures, (again + 1) / 2).numpy()


def row(name: str, contrast: np.ndarray, quality: np.ndarray) -> str:
    """A line of the table."""
    flat, lost = contrast < FLATTEST_PHOTOGRAPH, quality < WORST_DRAWING
    return (
        f"| {name} | {len(flat)} | {flat.sum()} | {lost.sum()} | {(flat | lost).sum()} | "
        f"{contrast.min():.1f} … {contrast.max():.1f} | {quality.min():.1f} … {quality.max():.1f} |"
    )


def page(drawn: Tensor, stills: Tensor, names: Sequence[str], vae: MiniAutoencoder) -> str:
    """The page in Markdown."""
    lines = [
        "# Drawings and photographs",
        "",
        "`mini` was trained on drawn heads only and warns when it gets something else. A picture is called a "
        f"photograph where its line contrast is below {FLATTEST_PHOTOGRAPH:g}, or where it comes back from "
        f"the autoencoder with less than {WORST_DRAWING:g} dB in the face (`eadnet/faces/drawn.py`). The "
        "limits were chosen on other drawings of the same world and on these very stills: expect more misses "
        "on others.",
        "",
        "| | pictures | by contrast | by autoencoder | called photographs | contrast | PSNR, dB |",
        "|---|---:|---:|---:|---:|---:|---:|",
        row("portraits of the synthetic world", *measured(drawn, vae)),
    ]
    contrast, quality = measured(stills, vae)
    lines += [row("stills of people, a statue, a painting", contrast, quality), ""]
    missed = [
        name
        for name, c, q in zip(names, contrast, quality, strict=True)
        if c >= FLATTEST_PHOTOGRAPH and q >= WORST_DRAWING
    ]
    lines.append(f"Stills that pass for drawings: {', '.join(missed) or 'none of these'}.")
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments photographs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stills", type=Path, nargs="+", help="photographs, the face in the middle")
    parser.add_argument("--drawn", type=Path, required=True, help="rendered clips")
    parser.add_argument("--count", type=int, default=96, help="drawings")
    parser.add_argument("--out", type=Path, default=RESULTS / "photographs.md")
    options = parser.parse_args(argv)
    vae = load_checkpoint(bundled_mini(), only=["vae"]).component("vae")
    references = np.load(options.drawn / "references.npy", mmap_mode="r")[: options.count]
    drawn = torch.from_numpy(np.array(references[:, 0])).movedim(-1, 1).float() / 255
    stills = [prepare_portrait(read_image(path)[None, ..., :3], 128) for path in options.stills]
    names = [path.name for path in options.stills]
    options.out.write_text(page(drawn, (torch.cat(stills) + 1) / 2, names, vae), encoding="utf-8")
