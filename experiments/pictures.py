"""`python -m experiments pictures`: pictures of the README and of the templates, made by a model itself."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from eadnet.driving.speech import track_from_speech
from eadnet.media.audio import load_audio, to_mono_16k
from eadnet.pipeline import rig_portrait
from eadnet.rendering import Model, load_model
from experiments.gallery import draw_gallery, graphs_of_films
from experiments.paths import ASSETS, ROOT

SENTENCES = (
    "happy, a broad smile, cheeks raised",
    "furious, brows pulled down, lips pressed",
    "sad, inner brows raised, mouth corners down",
    "surprised, brows and lids raised",
)
GRAPH = (205, 80, 1222, 745)  # where a template lies in a window of 1400 x 840 of frontend 1.58
COLUMNS, CELL, GAP, MARGIN, PORTRAIT, LABEL = 6, 176, 6, 28, 300, 26
PAPER, INK, WAVE = (248, 246, 241), (52, 50, 46), (92, 118, 156)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _waveform(width: int, height: int) -> Image.Image:
    """The loudness of the bundled recording as vertical strokes."""
    sound, rate = load_audio(ASSETS / "speech.wav")
    samples = to_mono_16k(sound, rate).numpy()
    picture = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(picture)
    for x, part in enumerate(np.array_split(samples, width // 3)):
        reach = max(1.0, float(np.abs(part).max() / np.abs(samples).max()) * height / 2)
        draw.line([(3 * x, height / 2 - reach), (3 * x, height / 2 + reach)], fill=WAVE)
    return picture


Spoken = Callable[[str], np.ndarray]
"""A sentence to the frames [T, H, W, 3] of the bundled portrait saying the bundled recording."""


def moved_by(model: Model) -> Spoken:
    """The portrait's own pixels are moved, as the model performs."""
    rig = rig_portrait(ASSETS / "portrait.png")
    speech = to_mono_16k(*load_audio(ASSETS / "speech.wav"))
    return lambda sentence: rig.frames(track_from_speech(speech, sentence, model=model))[..., :3].numpy()


def moments(frames: np.ndarray, columns: int = COLUMNS) -> list[Image.Image]:
    """Moments spread over a clip."""
    chosen = np.linspace(8, len(frames) - 8, columns).round().astype(int)
    return [Image.fromarray(frames[i]).resize((CELL, CELL), Image.Resampling.LANCZOS) for i in chosen]


def hero(spoken: Spoken, sentences: tuple[str, ...] = SENTENCES) -> Image.Image:
    """Portrait and recording on the left; one row of moments for each sentence on the right."""
    left = MARGIN + PORTRAIT + 70
    row = CELL + LABEL + GAP
    height = max(len(sentences) * row, PORTRAIT + 90)
    size = (left + COLUMNS * (CELL + GAP) + MARGIN, 2 * MARGIN + height)
    picture = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(picture)
    portrait = Image.open(ASSETS / "portrait.png").convert("RGB").resize((PORTRAIT, PORTRAIT))
    top = (size[1] - PORTRAIT - 90) // 2
    picture.paste(portrait, (MARGIN, top))
    picture.paste(_waveform(PORTRAIT, 64), (MARGIN, top + PORTRAIT + 18))
    middle = top + PORTRAIT // 2
    draw.line([(left - 56, middle), (left - 22, middle)], fill=INK, width=4)
    draw.polygon([(left - 26, middle - 9), (left - 12, middle), (left - 26, middle + 9)], fill=INK)
    for index, sentence in enumerate(sentences):
        y = MARGIN + (height - len(sentences) * row) // 2 + index * row
        draw.text((left, y), f"\u201c{sentence}\u201d", fill=INK, font=_font(17))
        for column, cell in enumerate(moments(spoken(sentence))):
            picture.paste(cell, (left + column * (CELL + GAP), y + LABEL))
    return picture


def main(argv: Sequence[str] | None = None) -> None:
    """Write `hero.png` into --images; with --films, the pictures of the templates into --workflows; with
    --graphs, what to run for those films; with --screenshot, `template.webp` from what the tests in a
    browser saw (EADNET_SCREENSHOTS).
    """
    parser = argparse.ArgumentParser(prog="python -m experiments pictures", description=__doc__)
    parser.add_argument("--checkpoint", default="mini", help="a file, or mini for the bundled one")
    parser.add_argument("--images", type=Path, default=ROOT / "docs" / "images", metavar="DIR")
    parser.add_argument("--workflows", type=Path, default=ROOT / "workflows", metavar="DIR")
    parser.add_argument(
        "--films", type=Path, metavar="DIR", help="what the templates wrote: output/EAD-Net of a ComfyUI"
    )
    parser.add_argument("--graphs", type=Path, metavar="DIR", help="write the graphs that make those films")
    parser.add_argument("--screenshot", type=Path, metavar="FILE", help="of a template after its run")
    options = parser.parse_args(argv)
    if options.screenshot is not None:
        seen = Image.open(options.screenshot).convert("RGB").crop(GRAPH)
        seen.save(options.images / "template.webp", quality=82, method=6)
        return
    if options.graphs is not None:
        graphs_of_films(options.graphs)
        return
    if options.films is not None:
        missing = draw_gallery(options.films, options.workflows)
        print(f"no film of: {', '.join(missing)}" if missing else "every template has its picture")
        return
    hero(moved_by(load_model(options.checkpoint))).save(options.images / "hero.png", optimize=True)
