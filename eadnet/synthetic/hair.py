"""Painting hair: each piece of a style filled with strands along its flow, with gloss and shade."""

from __future__ import annotations

import numpy as np

from .canvas import blend, blur, lines_mask, polygon_mask
from .geometry import Geometry
from .hair_styles import HairStyle, Piece


def _strands(piece: Piece, rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Flow lines at random places between the guides."""
    guides = np.stack(piece.guides)
    at = rng.uniform(0, len(guides) - 1, count)
    index = np.minimum(at.astype(int), len(guides) - 2)
    lines = guides[index] + (guides[index + 1] - guides[index]) * (at - index)[:, None, None]
    lines += rng.normal(0, 0.0025, (count, 1, 2))
    lines += rng.normal(0, 0.005, (count, 1, 2)) * np.linspace(0, 1, lines.shape[1])[:, None]
    return list(lines)


def _glints(strands: list[np.ndarray], where: float, rng: np.random.Generator) -> list[np.ndarray]:
    """A short stretch of each strand around the place `where` (0 root .. 1 tip) that catches the light."""
    pieces = []
    for line in strands:
        middle = where * (len(line) - 1) + rng.normal(0, 0.9)
        half = rng.uniform(0.5, 1.8)
        at = np.clip(np.linspace(middle - half, middle + half, 5), 0, len(line) - 1)
        index = np.arange(len(line))
        pieces.append(np.stack([np.interp(at, index, line[:, 0]), np.interp(at, index, line[:, 1])], axis=1))
    return pieces


def _curl_lines(mask_points: np.ndarray, rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Small arcs scattered over the box of a curly piece."""
    low, high = mask_points.min(0), mask_points.max(0)
    lines = []
    for _ in range(count):
        center = rng.uniform(low, high)
        radius, start = rng.uniform(0.014, 0.028), rng.uniform(0, 2 * np.pi)
        angle = start + np.linspace(0, rng.uniform(2.5, 4.6), 12)
        lines.append(center + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    return lines


def draw_pieces(
    geometry: Geometry, pieces: tuple[Piece, ...], style: HairStyle, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Paint hair -> (float32 [size, size, 3] in 0..255, coverage float32 [size, size])."""
    identity = geometry.identity
    scarf = identity.hair_style == "headscarf"
    color = np.asarray(identity.clothes_color if scarf else identity.hair_color, np.float32) * 255
    light = np.minimum(color * 1.28 + 30, 255)
    deep = color * (0.56, 0.52, 0.52)
    rng = np.random.default_rng(identity.texture_seed + 7)
    picture = np.empty((size, size, 3), np.float32)
    picture[:] = color
    alpha = np.zeros((size, size), np.float32)
    side = -identity.light_x
    axis = (np.arange(size, dtype=np.float32)[None, :] + 0.5) / size
    for piece in pieces:
        mask = blur(polygon_mask(piece.outline, size), piece.soft, size)
        layer = np.empty_like(picture)
        layer[:] = color * (1 - piece.dark)
        if scarf:
            lines = _strands(piece, rng, 16) if piece.guides else []
            dark, pale = lines[::2], lines[1::2]
            widths, strengths = (0.010, 0.014), (0.50, 0.30)
        elif style.curls:
            dark, pale = _curl_lines(piece.outline, rng, 230), _curl_lines(piece.outline, rng, 150)
            widths, strengths = (0.0080, 0.0065), (0.42, 0.26 * (1 - piece.dark))
        else:
            dark, pale = _strands(piece, rng, 110), _strands(piece, rng, 80)
            widths, strengths = (0.0036, 0.0032), (0.55, 0.30 * (1 - piece.dark))
        softness = 0.006 if scarf else 0.0030 if style.curls else 0.0010
        blend(
            layer,
            deep * (1 - piece.dark),
            blur(lines_mask(dark, size, widths[0]), softness, size) * strengths[0],
        )
        blend(layer, light, blur(lines_mask(pale, size, widths[1]), softness, size) * strengths[1])
        if piece.shine > 0 and piece.guides and not style.curls:
            band = _glints(_strands(piece, rng, 70), piece.shine, rng)
            gloss = blur(lines_mask(band, size, 0.005), 0.0035, size)
            gloss = 0.5 * gloss + 0.9 * blur(gloss, 0.018, size)
            blend(layer, light * 1.05 + 6, np.clip(gloss, 0, 1) * (0.15 if scarf else 0.40))
        inside = blur(mask, 0.016, size)
        layer *= 1 - (0.50 * np.clip(1.7 * (1 - inside), 0, 1))[..., None] * (0.35, 0.42, 0.42)
        layer *= 1 - (0.30 * np.clip((axis - 0.5) * side * 2.2, 0, 0.6))[..., None]
        # A piece in front throws a soft shadow on the one behind it.
        picture *= 1 - (0.35 * blur(mask, 0.014, size) * (1 - mask))[..., None]
        blend(picture, np.clip(layer, 0, 255), mask)
        np.maximum(alpha, mask, out=alpha)
    return picture, alpha * style.opacity
