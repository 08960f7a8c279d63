"""The shipped pictures of the synthetic world; `python -m eadnet.synthetic.gallery` renders them again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from .expression import EMOTIONS, emotion_expression, expression, neutral
from .identity import Identity, sample_identity
from .renderer import Renderer

_PAPER, _INK = (247, 245, 241), (70, 68, 66)
_SPEECH: dict[str, dict[str, float]] = {
    "rest": {},
    "p b m": {"lip_close": 1.0},
    "f v": {"lip_bite": 1.0, "jaw_open": 0.10},
    "t d n l": {"tongue_up": 1.0, "jaw_open": 0.30},
    "ee": {"lip_stretch": 0.6, "smile_l": 0.3, "smile_r": 0.3, "jaw_open": 0.20, "lower_lip_depress": 0.3},
    "ah": {"jaw_open": 0.85},
    "sh": {"lip_funnel": 1.0, "jaw_open": 0.15},
    "oo": {"lip_pucker": 1.0, "lip_funnel": 0.5, "jaw_open": 0.10},
}


def person(seed: int) -> Identity:
    """The person of a seed."""
    return sample_identity(np.random.default_rng(seed))


def portrait(size: int = 512) -> np.ndarray:
    """The demo portrait that the example workflows start from, uint8 [size, size, 3]."""
    return Renderer(person(130), size).render(neutral()).image


def gallery(cell: int = 128) -> np.ndarray:
    """People, one person in eight emotions, and one person speaking -> uint8 [H, 8 * cell + gaps, 3]."""
    from PIL import Image, ImageDraw, ImageFont

    people = (102, 112, 109, 126, 133, 131, 121, 139, 110, 103, 128, 115, 136, 108, 129, 132)
    first = [(Renderer(person(seed), cell).render(neutral()).image, "") for seed in people]
    actor = Renderer(person(138), cell)
    emotions = [(actor.render(emotion_expression(name)).image, name) for name in EMOTIONS]
    speaker = Renderer(dataclasses.replace(person(130), hair_style="bun"), cell)
    speech = [(speaker.render(expression(**params)).image, name) for name, params in _SPEECH.items()]
    rows = [first[:8], first[8:], emotions, speech]

    gap, caption = max(2, cell // 32), max(10, cell // 7)
    heights = [cell + (caption if row[0][1] else 0) + gap for row in rows]
    sheet = Image.new("RGB", (8 * (cell + gap) + gap, sum(heights) + gap), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=caption * 0.7)
    top = gap
    for row, height in zip(rows, heights, strict=True):
        for column, (image, name) in enumerate(row):
            left = gap + column * (cell + gap)
            sheet.paste(Image.fromarray(image), (left, top))
            if name:
                pen.text((left + cell / 2, top + cell + caption * 0.45), name, _INK, font, anchor="mm")
        top += height
    return np.asarray(sheet)


def main() -> None:
    """Write `docs/images/faces.png` and `eadnet/assets/portrait.png` into the checkout."""
    from PIL import Image

    root = Path(__file__).parents[2]
    faces = root / "docs" / "images" / "faces.png"
    faces.parent.mkdir(parents=True, exist_ok=True)
    sheet = Image.fromarray(gallery(160))
    # A dithered palette keeps the page that shows the sheet light.
    palette = sheet.quantize(256, kmeans=2)
    sheet.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(faces, optimize=True)
    asset = root / "eadnet" / "assets" / "portrait.png"
    asset.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(portrait()).save(asset, optimize=True)


if __name__ == "__main__":
    main()
