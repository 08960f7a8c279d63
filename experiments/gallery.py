"""Pictures for the gallery of templates: films that the templates made, square, small and moving.

`graphs_of_films` writes the graphs to run (`comfy run`, with the face landmarker installed); `draw_gallery`
makes the pictures from what they wrote. Two templates need weights that one has to fetch; their films are
of the same graph with `mini` in the place of those weights, and the picture says so.

Frontends ask for NAME.jpg whatever the picture is; browsers go by its content, which is an animated WebP.
"""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from eadnet.media.video import read_video
from experiments.paths import ASSETS, ROOT
from tools.templates.pages import PAGES

SIDE, INSET, MARGIN, STEP, QUALITY = 448, 132, 12, 4, 45
MOST = 25  # frames of a picture
PAPER, INK, SHADE = (24, 28, 36), (255, 255, 255), 170
FILMS = "EAD-Net"  # the folder in ComfyUI's output that every template writes to
# What a film shows, in the words of its template.
WORDS = {
    "talking_portrait": "happy, a broad smile",
    "photo_with_emotion": "happy, a broad smile",
    "re_emote_a_video": "the same talk, happy",
    "performance_moves_a_portrait": "moved by a face in a video",
    "photo_rig_with_latentsync_lips": "a photo, then its lips (here: mini's)",
    "revoice_video": "a new voice, happy",
    "emotion_timeline": "calm, happy, then furious",
    "score_and_fix_sync": "3 frames late, and in step again",
    "caption_an_emotion": "angry, in its own words",
    "render_long_video": "a film of any length",
    "lipsync_with_latentsync": "a face in a video (here: by mini)",
    "talking_portrait_in_parts": "encode, denoise, decode",
    "cores_sampler": "core's own sampler",
    "ablation_side_by_side": "with the sentence, and without",
}
# Templates whose picture shows in its corner what the film was made from.
FROM_VIDEO = ("re_emote_a_video", "performance_moves_a_portrait", "revoice_video")
SOURCE = ASSETS / "talking_late.mp4"


def graphs_of_films(folder: Path) -> None:
    """Write the graph of every film that the pictures need."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in WORDS:
        graph = json.loads((ROOT / "workflows" / "api" / f"{name}.json").read_text(encoding="utf-8"))
        (folder / f"{name}.json").write_text(json.dumps(with_mini(graph)), encoding="utf-8")


def with_mini(graph: dict[str, Any]) -> dict[str, Any]:
    """The graph with the bundled `mini` and its VAE in the place of LatentSync's and Stable Diffusion's."""
    made = deepcopy(graph)
    kinds = {number: node["class_type"] for number, node in made.items()}
    loader = next((number for number, kind in kinds.items() if kind == "EADNetLatentSyncLoader"), None)
    if loader is None:
        return made
    made[loader] |= {
        "class_type": "EADNetCheckpointLoader",
        "inputs": {"checkpoint": "mini.safetensors"},
    }
    for node in made.values():
        for name, value in node["inputs"].items():
            if isinstance(value, list) and kinds[value[0]] == "VAELoader":
                node["inputs"][name] = [loader, 3]
            elif name == "steps":
                node["inputs"][name] = 2
    return {number: node for number, node in made.items() if kinds[number] != "VAELoader"}


def draw_gallery(films: Path, folder: Path) -> list[str]:
    """Write NAME.jpg for every template with a film in `films`; the names of the others."""
    missing = []
    for page in PAGES:
        found = sorted(films.glob(f"{_prefix(page.workflow)}_0*.mp4"))
        if not found:
            missing.append(page.name)
            continue
        source = read_video(SOURCE).frames if page.workflow in FROM_VIDEO else None
        frames = np.asarray(read_video(found[-1]).frames)
        write(frames, WORDS[page.workflow], folder / f"{page.name}.jpg", source)
    return missing


def _prefix(workflow: str) -> str:
    """How the names of a template's films begin."""
    graph = json.loads((ROOT / "workflows" / "api" / f"{workflow}.json").read_text(encoding="utf-8"))
    prefixes = [Path(node["inputs"].get("filename_prefix", "")) for node in graph.values()]
    return next(prefix.name for prefix in prefixes if prefix.parent.name == FILMS)


def write(frames: np.ndarray, words: str, path: Path, source: np.ndarray | None = None) -> None:
    """Frames [T, H, W, 3] of the film's middle as one animation with words; `source` in its corner."""
    count = min(MOST, len(frames) // STEP)
    first = max(0, (len(frames) - count * STEP) // 2)
    chosen = [first + STEP * number for number in range(count)]
    pictures = [
        _framed(frames[index], words, None if source is None else source[index % len(source)])
        for index in chosen
    ]
    pictures[0].save(
        path,
        format="WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=1000 * STEP // 25,
        loop=0,
        quality=QUALITY,
        method=4,
    )


def _square(frame: np.ndarray, side: int) -> Image.Image:
    """The middle of a frame; two pictures side by side whole, between bars."""
    picture = Image.fromarray(frame)
    if picture.width >= 2 * picture.height:
        whole = Image.new("RGB", (side, side), PAPER)
        high = side * picture.height // picture.width
        whole.paste(picture.resize((side, high), Image.Resampling.LANCZOS), (0, (side - high) // 2))
        return whole
    short = min(picture.size)
    left, top = (picture.width - short) // 2, (picture.height - short) // 2
    box = (left, top, left + short, top + short)
    return picture.resize((side, side), Image.Resampling.LANCZOS, box=box)


def _framed(frame: np.ndarray, words: str, source: np.ndarray | None) -> Image.Image:
    picture = _square(frame, SIDE)
    shade = Image.new("L", (1, SIDE))
    for row in range(SIDE):  # darker towards the words
        shade.putpixel((0, row), max(0, round(SHADE * (row - SIDE + 96) / 96)))
    picture.paste((0, 0, 0), (0, 0, SIDE, SIDE), shade.resize((SIDE, SIDE)))
    if source is not None:
        place = SIDE - INSET - MARGIN
        draw = ImageDraw.Draw(picture)
        draw.rectangle([place - 3, MARGIN - 3, place + INSET + 2, MARGIN + INSET + 2], fill=INK)
        picture.paste(_square(source, INSET), (place, MARGIN))
    ImageDraw.Draw(picture).text(
        (SIDE / 2, SIDE - 26), words, fill=INK, font=ImageFont.load_default(23), anchor="mm"
    )
    return picture
