"""How well photographs are distinguished from drawings, and a face in its place from everything else.

    python -m experiments photographs STILLS... --drawn .work/mini/validation

`--drawn` is a folder of rendered clips (`eadnet synth make`), whose portraits are the drawings.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from eadnet.checkpoints import bundled_mini, load_checkpoint
from eadnet.faces.crops import prepare_portrait
from eadnet.faces.drawn import are_photographs
from eadnet.faces.placement import placed_face
from eadnet.media.images import read_image
from eadnet.modules.autoencoder import MiniAutoencoder
from experiments.paths import RESULTS

Alter = Callable[[np.ndarray], np.ndarray]


def _jpeg(quality: int) -> Alter:
    def altered(picture: np.ndarray) -> np.ndarray:
        held = io.BytesIO()
        Image.fromarray(picture).save(held, "JPEG", quality=quality)
        return np.asarray(Image.open(held))

    return altered


def _enlarged(picture: np.ndarray) -> np.ndarray:
    small = Image.fromarray(picture).resize((64, 64), Image.Resampling.BOX)
    return np.asarray(small.resize((256, 256), Image.Resampling.BICUBIC))


def _tall(picture: np.ndarray) -> np.ndarray:
    """Portrait format 7 : 10 with the head's square at the top."""
    below = picture[-1:].repeat(round(len(picture) * 3 / 7), axis=0)
    return np.concatenate([picture, below])


def _in_corner(picture: np.ndarray) -> np.ndarray:
    """Half as large, in the corner of a wide picture."""
    side = len(picture) // 2
    wide = np.tile(picture[:1, :1], (2 * side, 3 * side, 1))
    wide[:side, :side] = np.asarray(Image.fromarray(picture).resize((side, side)))
    return wide


DRAWINGS: dict[str, Alter] = {
    "as drawn": lambda picture: picture,
    "as JPEG of quality 90": _jpeg(90),
    "as JPEG of quality 60": _jpeg(60),
    "enlarged from 64 pixels": _enlarged,
    "grey": lambda picture: picture.mean(2, keepdims=True).repeat(3, 2).astype(np.uint8),
    "half as bright": lambda picture: picture // 2,
}
ELSEWHERE: dict[str, Alter] = {
    "head at the top of a tall picture": _tall,
    "head in a corner": _in_corner,
    "upside down": lambda picture: np.ascontiguousarray(picture[::-1]),
}


def textures(count: int) -> list[np.ndarray]:
    """Noise, clouds and ellipses, by turns."""
    made = []
    for seed in range(count):
        random = torch.Generator().manual_seed(seed)
        picture = torch.rand(3, 1, 1, generator=random).expand(3, 256, 256)
        if seed % 3 == 0:
            picture = torch.rand(3, 256, 256, generator=random)
        elif seed % 3 == 1:
            for side in (2, 4, 8, 16, 32, 64):
                wave = torch.rand(1, 3, side, side, generator=random)
                picture = (
                    picture + F.interpolate(wave, (256, 256), mode="bicubic")[0].sub(0.5) * 2 / side**0.6
                )
        else:
            y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
            for _ in range(30):
                cx, cy, rx, ry = (torch.rand(4, generator=random) * 200 + 4).tolist()
                inside = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 0.3
                picture = torch.where(inside, torch.rand(3, 1, 1, generator=random), picture)
        made.append((picture.clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy())
    return made


@torch.no_grad()
def called_photographs(pictures: Sequence[np.ndarray], vae: MiniAutoencoder) -> int:
    """How many of pictures uint8 [H, W, 3] are taken for photographs."""
    count = 0
    for picture in pictures:
        crop = prepare_portrait(torch.from_numpy(picture.copy())[None].float() / 255, 128)
        count += int(are_photographs((crop + 1) / 2, (vae.decode(vae.encode(crop)) + 1) / 2).sum())
    return count


def in_place(pictures: Sequence[np.ndarray]) -> tuple[int, int]:
    """(with a face in its place, with a face elsewhere) of pictures uint8 [H, W, 3]."""
    places = [placed_face(picture, "portrait") for picture in pictures]
    fitting = sum(place is not None and place.fits for place in places)
    return fitting, sum(place is not None for place in places) - fitting


def page(drawn: Sequence[np.ndarray], stills: Sequence[np.ndarray], vae: MiniAutoencoder) -> str:
    """The page in Markdown."""
    lines = [
        "# What is in the picture",
        "",
        "Measured by `python -m experiments photographs`.",
        "",
        "## Drawings and photographs",
        "",
        "`mini` was trained on drawn heads only and warns when it gets something else "
        "(`eadnet/faces/drawn.py`). The limits were chosen on other drawings of the same world and on these "
        "very stills: expect more misses on others.",
        "",
        "| | pictures | called photographs |",
        "|---|---:|---:|",
        *(
            f"| drawn heads, {name} | {len(drawn)} | {called_photographs([*map(alter, drawn)], vae)} |"
            for name, alter in DRAWINGS.items()
        ),
        f"| stills of people, a statue, a painting | {len(stills)} | {called_photographs(stills, vae)} |",
        "",
        "## Is a face in its place?",
        "",
        "Without a face track the model gets the picture's centred square, and a face has to sit in it where "
        "the portrait framing has one: within a tenth of the side, up to 1.4 times as large or small "
        "(`eadnet/faces/placement.py`). Otherwise nothing is generated. The finder (`eadnet/faces/heads.py`) "
        "needs no package; it was trained on drawn heads alone, and it finds photographed ones all the same.",
        "",
        "| | pictures | face in its place | face elsewhere | no face |",
        "|---|---:|---:|---:|---:|",
    ]
    groups = {
        **{f"drawn heads, {name}": [*map(alter, drawn)] for name, alter in DRAWINGS.items()},
        **{f"drawn heads, {name}": [*map(alter, drawn)] for name, alter in ELSEWHERE.items()},
        "noise, clouds, ellipses": textures(len(drawn)),
        "stills of people, a statue, a painting, as they are": stills,
    }
    for name, pictures in groups.items():
        fitting, elsewhere = in_place(pictures)
        rest = len(pictures) - fitting - elsewhere
        lines.append(f"| {name} | {len(pictures)} | {fitting} | {elsewhere} | {rest} |")
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
    stills = [(read_image(path)[..., :3] * 255).byte().numpy() for path in options.stills]
    options.out.write_text(page([*np.array(references[:, 0])], stills, vae), encoding="utf-8")
