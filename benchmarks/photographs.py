"""How well photographs are told from drawings: `python -m benchmarks.photographs STILLS... --drawn CLIPS`.

`CLIPS` is a folder of rendered clips (`eadnet synth make`), whose portraits are the drawings.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eadnet.checkpoints import bundled_mini, load_checkpoint
from eadnet.faces.crops import prepare_portrait
from eadnet.faces.drawn import FLATTEST_PHOTOGRAPH, WORST_DRAWING, line_contrast, returned
from eadnet.media.images import read_image


def measured(pictures: Tensor, vae: torch.nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """Line contrast and PSNR after the autoencoder of crops [N, 3, 128, 128] in 0..1."""
    with torch.no_grad():
        again = torch.cat([vae.decode(vae.encode(p * 2 - 1)) for p in pictures.split(16)])  # type: ignore[operator]
    return line_contrast(pictures).numpy(), returned(pictures, (again + 1) / 2).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stills", type=Path, nargs="+", help="photographs, the face in the middle")
    parser.add_argument("--drawn", type=Path, required=True, help="rendered clips")
    parser.add_argument("--count", type=int, default=96, help="drawings")
    options = parser.parse_args()
    vae = load_checkpoint(bundled_mini(), only=["vae"]).component("vae").eval()
    references = np.load(options.drawn / "references.npy", mmap_mode="r")[: options.count]
    drawn = torch.from_numpy(np.array(references[:, 0])).movedim(-1, 1).float() / 255
    stills = [prepare_portrait(read_image(path)[None, ..., :3], 128) for path in options.stills]
    photographs = (torch.cat(stills) + 1) / 2
    for name, pictures in (("drawn", drawn), ("photographs", photographs)):
        contrast, quality = measured(pictures, vae)
        flat, lost = contrast < FLATTEST_PHOTOGRAPH, quality < WORST_DRAWING
        print(
            f"{name}: {len(pictures)}; called photographs {(flat | lost).sum()} (by contrast {flat.sum()}, by "
            f"PSNR {lost.sum()}); contrast {contrast.min():.1f} to {contrast.max():.1f}, "
            f"PSNR {quality.min():.1f} to {quality.max():.1f} dB"
        )
        for path, c, q in zip(options.stills if name != "drawn" else [], contrast, quality, strict=False):
            print(f"  {path.name}: {c:.1f}, {q:.1f} dB")


if __name__ == "__main__":
    main()
