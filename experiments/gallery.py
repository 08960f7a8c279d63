"""Pictures for the gallery of templates: films that the templates made, square, small and moving.

Frontends ask for NAME.jpg whatever the picture is; browsers go by its content, which is an animated WebP.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from eadnet.faces.detectors.manual import ManualDetector, parse_face
from eadnet.faces.drawing import draw_track
from eadnet.faces.tracking import detect_faces, track_face
from eadnet.media.video import read_video
from experiments.paths import ASSETS
from tools.templates.pages import PAGES

SIDE, STRIP, FRAMES, STEP, QUALITY = 512, 56, 16, 4, 40
PAPER, INK = (24, 28, 36), (236, 238, 242)
EXAMPLE_FACE = "33, 45, 98, 109"
# What a film shows, in the words of its template; without a film, the example's face as it is found.
WORDS = {
    "talking_portrait": "happy, a broad smile",
    "photo_with_emotion": "happy, a broad smile",
    "re_emote_a_video": "the same talk, furious",
    "performance_moves_a_portrait": "moved by a face in a video",
    "photo_rig_with_latentsync_lips": "then LatentSync's lips (a sketch)",
    "revoice_video": "a new voice, happy",
    "emotion_timeline": "calm, happy, then furious",
    "score_and_fix_sync": "3 frames late, and in step again",
    "caption_an_emotion": "angry, in its own words",
    "render_long_video": "any length",
    "lipsync_with_latentsync": "a face in a video",
    "talking_portrait_in_parts": "encode, denoise, decode",
    "cores_sampler": "core's own sampler",
}


def draw_gallery(films: Path, folder: Path) -> list[str]:
    """Write NAME.jpg for every template with a film (WORKFLOW_*.mp4) in `films`; the names of the others."""
    missing = []
    for page in PAGES:
        found = sorted(films.glob(f"{page.workflow}_0*.mp4"))
        if page.workflow == "lipsync_with_latentsync":
            frames = _example_with_its_face()
        elif found:
            frames = np.asarray(read_video(found[-1]).frames)
        else:
            missing.append(page.name)
            continue
        write(frames, WORDS[page.workflow], folder / f"{page.name}.jpg")
    return missing


def write(frames: np.ndarray, words: str, path: Path) -> None:
    """Frames [T, H, W, 3], spread over the film, as one animation over a line of words."""
    count = min(FRAMES, len(frames) // STEP)
    first = max(0, (len(frames) - count * STEP) // 2)
    pictures = [_framed(frames[first + STEP * number], words) for number in range(count)]
    milliseconds = 1000 * STEP // 25
    pictures[0].save(
        path,
        format="WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=milliseconds,
        loop=0,
        quality=QUALITY,
    )


def _framed(frame: np.ndarray, words: str) -> Image.Image:
    inner = SIDE - STRIP
    picture = Image.new("RGB", (SIDE, SIDE), PAPER)
    picture.paste(Image.fromarray(frame).resize((inner, inner), Image.Resampling.LANCZOS), (STRIP // 2, 0))
    font = ImageFont.load_default(26)
    ImageDraw.Draw(picture).text((SIDE / 2, SIDE - STRIP / 2), words, fill=INK, font=font, anchor="mm")
    return picture


def _example_with_its_face() -> np.ndarray:
    frames = np.asarray(read_video(ASSETS / "talking_late.mp4").frames)
    found = detect_faces(frames, ManualDetector(parse_face(EXAMPLE_FACE)))
    track = track_face(found, "latentsync", 256)
    side = frames.shape[2]
    return np.stack([draw_track(frame, track, index)[:side] for index, frame in enumerate(frames)])
