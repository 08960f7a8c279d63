"""An IMAGE is seen by the nodes, and shown by a player in their films, as its numbers say, whatever kind of
numbers they are; how a file's stream became an IMAGE is up to the node that loaded it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from eadnet.media.video import write_video
from tests.players import COLOURS, GREY, film, quarters

GENERATION = 2.5  # levels that an encoding costs, as of streams in tests/media/test_what_a_player_shows.py


def base(height: int = 64, width: int = 96) -> Tensor:
    """Two frames of four quarters in their colours, [2, H, W, 3] in 0..1."""
    colours = torch.from_numpy(COLOURS).float() / 255
    rows = colours.repeat_interleave(height // 2, 0).repeat_interleave(width // 2, 1)
    return rows[None].repeat(2, 1, 1, 1)


def with_opacity(opacity: float) -> Tensor:
    return torch.cat([base(), torch.full((2, 64, 96, 1), opacity)], -1)


# What is sent, and what becomes of its colours.
IMAGES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "float32": (base, lambda c: c),
    "float16": (lambda: base().half(), lambda c: c),
    "bfloat16": (lambda: base().bfloat16(), lambda c: c),
    "float64": (lambda: base().double(), lambda c: c),
    "numpy": (lambda: base().numpy(), lambda c: c),
    "one picture": (lambda: base()[0], lambda c: c),
    "with gradients": (lambda: base().requires_grad_(), lambda c: c),
    "channels first in memory": (lambda: base().movedim(-1, 1).contiguous().movedim(1, -1), lambda c: c),
    "every second of a batch": (lambda: base().repeat(2, 1, 1, 1)[::2], lambda c: c),
    "beyond the range": (lambda: base() * 1.02 - 0.01, lambda c: (c * 1.02 - 2.55).clip(0, 255)),
    "odd sides": (lambda: base()[:, :63, :95], lambda c: c),
    "one channel": (
        lambda: base().mean(-1, keepdim=True),
        lambda c: c.mean(-1, keepdims=True).repeat(3, -1),
    ),
    "opaque": (lambda: with_opacity(1.0), lambda c: c),
    "half transparent": (lambda: with_opacity(0.5), lambda c: (c + GREY) / 2),
    "transparent": (lambda: with_opacity(0.0), lambda c: c * 0 + GREY),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_an_image_looks_as_its_numbers_say(
    submodule: Callable[[str], Any], tmp_path: Path, kind: str
) -> None:
    send, shown = IMAGES[kind]
    sent = send()
    with submodule("nodes.footage").opened(sent, "images", 25.0) as footage:
        frames = [footage.one(number) for number in range(footage.count)]
        assert len(frames) == (len(sent) if sent.ndim == 4 else 1)
        assert frames[0].shape[:2] == tuple(sent.shape[-3:-1])
    expected = shown(COLOURS)
    near = 1.5 if kind == "bfloat16" else 1.0
    assert abs(quarters(frames[0]) - expected).max() <= near
    write_video(tmp_path / "film.mp4", frames, 25)
    assert abs(quarters(film(tmp_path / "film.mp4")[0]) - expected).max() <= near + GENERATION
