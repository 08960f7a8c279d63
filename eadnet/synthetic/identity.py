"""Who a synthetic person is: about thirty independent factors of appearance, sampled in natural palettes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Color = tuple[float, float, float]
"""Red, green and blue in sRGB, each 0..1."""

HAIR_STYLES = (
    "bald",
    "buzz",
    "side_part",
    "quiff",
    "pixie",
    "curly",
    "bob",
    "long",
    "wavy",
    "bun",
    "ponytail",
    "headscarf",
)
GLASSES = ("none", "round", "square")
BEARDS = ("none", "stubble", "moustache", "full")
CLOTHES = ("crew", "v_neck", "collar", "turtleneck", "hoodie")
BACKGROUNDS = ("gradient", "room", "two_tone", "halo")


@dataclass(frozen=True)
class Identity:
    """Everything about a person and the picture that does not change while they speak.

    Numbers described as scales are 1 for an average face. Colours are sRGB 0..1.
    """

    skin_color: Color
    blush: float  # 0..1, redness of cheeks and nose
    head_width: float  # scale
    jaw_width: float  # scale
    chin_length: float  # -1..1
    eye_size: float  # scale
    eye_roundness: float  # scale of the opening's height
    eye_spacing: float  # scale
    eye_tilt: float  # -1..1, outer corners up for positive values
    iris_color: Color
    brow_thickness: float  # scale
    brow_arch: float  # 0..1
    brow_color: Color
    nose_width: float  # scale
    nose_length: float  # -1..1
    lip_thickness: float  # scale
    mouth_width: float  # scale
    lip_color: Color
    ear_size: float  # scale
    hair_style: str  # one of HAIR_STYLES
    hair_color: Color
    hair_volume: float  # scale
    hair_flip: bool  # mirrors the hair style
    glasses: str  # one of GLASSES
    glasses_color: Color
    beard: str  # one of BEARDS
    freckles: float  # 0..1
    age: float  # 0..1, depth of lines
    makeup: float  # 0..1, lashes, eye shadow
    makeup_color: Color
    light_x: float  # -1 light from the left of the picture .. 1 from the right
    light_warmth: float  # -1 cool .. 1 warm
    clothes: str  # one of CLOTHES
    clothes_color: Color
    background: str  # one of BACKGROUNDS
    background_colors: tuple[Color, Color]
    texture_seed: int  # strands, freckles, blurred room


_SKIN = (
    "#fbe3d3",
    "#f5d3bd",
    "#eec1a2",
    "#e0aa84",
    "#cf9670",
    "#b87c56",
    "#9c6444",
    "#7e4e36",
    "#63402d",
    "#4c3125",
)
_HAIR_DARK = ("#1c1718", "#241a17", "#33231c", "#43291d")
_HAIR_LIGHT = ("#5b3a25", "#7a4a2a", "#8f3f1f", "#b0602c", "#a97c46", "#d0a765", "#e2c48a", "#ab8f6c")
_HAIR_GREY = ("#8d8b8a", "#b9b6b2", "#e4e0da", "#5f5d5e")
_HAIR_DYED = ("#7a3550", "#2f5d66", "#5a4379", "#b3637a")
_IRIS_DARK = ("#3b2415", "#4f2f1a", "#2b1b12", "#64401f")
_IRIS_LIGHT = ("#4c7ba0", "#6a96b0", "#5f8560", "#7d7a4a", "#8a6a3a", "#7f94a0", "#3f6f76")
_CLOTHES_COLORS = (
    "#2f4158", "#7a3b3f", "#4d6b57", "#c9b79c", "#e9e4da", "#38383d", "#6d5a7e", "#b9825a",
    "#8aa3b5", "#a8566a", "#3c6e71", "#d9a5a0", "#5a6b3f", "#c2a14d", "#27323a", "#9aa89b",
)  # fmt: skip
_BACKGROUND_PAIRS = (
    ("#dfe6e6", "#a9bcc4"), ("#ece2d3", "#cbb193"), ("#d5dccb", "#96a88c"), ("#e6d6d3", "#b98f8c"),
    ("#cfd6e4", "#8591b3"), ("#d9d1e0", "#9c8bab"), ("#7f8d93", "#4a565e"), ("#b3a18c", "#6b5a4b"),
    ("#8fa6a0", "#516a68"), ("#e9ddbc", "#c9a86c"), ("#5f6b80", "#333b4c"), ("#c7b0a6", "#84655f"),
    ("#f0ebe2", "#d8cfc2"), ("#a7c0cf", "#5c7f96"), ("#c98f78", "#8c5547"), ("#9fb59a", "#5d7a63"),
)  # fmt: skip
_LIPSTICKS = ("#a83246", "#b5465a", "#8e2f42", "#c4616a", "#9c4a52", "#c23b3b")
_SHADOWS = ("#6b4a52", "#5a5166", "#8a5a4a", "#4f5d63", "#7d5566")
_FRAMES = ("#1f1d20", "#4a2e20", "#7a5a2e", "#3a4654", "#6e2f35", "#8d8f94")


def _rgb(code: str) -> np.ndarray:
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0


def _color(values: np.ndarray) -> Color:
    red, green, blue = (float(v) for v in np.clip(values, 0.0, 1.0))
    return red, green, blue


def _pick(rng: np.random.Generator, codes: tuple[str, ...], jitter: float = 0.02) -> Color:
    """One palette colour, a little varied in brightness and tint so that no two people share it exactly."""
    base = _rgb(codes[int(rng.integers(len(codes)))])
    return _color(base * (1 + rng.uniform(-2, 2) * jitter) + rng.uniform(-jitter, jitter, 3))


def _scale(rng: np.random.Generator, spread: float) -> float:
    return float(1.0 + spread * rng.uniform(-1, 1))


def _signed(rng: np.random.Generator) -> float:
    return float(rng.uniform(-1, 1))


def _choice(rng: np.random.Generator, names: tuple[str, ...], weights: tuple[float, ...]) -> str:
    probabilities = np.asarray(weights) / np.sum(weights)
    return names[int(rng.choice(len(names), p=probabilities))]


def _skin(rng: np.random.Generator) -> tuple[Color, float]:
    """A skin colour and its depth from 0 (lightest) to 1 (darkest)."""
    depth = float(rng.uniform(0, 1))
    stops = np.stack([_rgb(code) for code in _SKIN])
    at = depth * (len(stops) - 1)
    base = np.array([np.interp(at, np.arange(len(stops)), stops[:, channel]) for channel in range(3)])
    warmth = rng.uniform(-1, 1)
    return _color(base * (1 + 0.02 * warmth * np.array([1, 0.2, -1.6])) * rng.uniform(0.97, 1.03)), depth


def _hair_color(rng: np.random.Generator, depth: float, age: float) -> Color:
    if rng.uniform() < 0.75 * max(0.0, age - 0.35):
        return _pick(rng, _HAIR_GREY)
    if rng.uniform() < 0.05:
        return _pick(rng, _HAIR_DYED)
    return _pick(rng, _HAIR_DARK if rng.uniform() < 0.15 + 0.95 * depth else _HAIR_LIGHT)


def _lip_color(rng: np.random.Generator, skin: np.ndarray, makeup: float) -> Color:
    natural = skin * (0.90, 0.66, 0.66) + (0.04, 0.0, 0.015)
    painted = np.asarray(_pick(rng, _LIPSTICKS))
    share = 0.75 * makeup
    return _color(natural * (1 - share) + painted * share)


def sample_identity(rng: np.random.Generator) -> Identity:
    """Draw a person: factors are independent except where nature couples them (hair and eye colour with skin,
    grey hair with age, beards and make-up with each other). Deterministic for a seeded `rng`."""
    skin, depth = _skin(rng)
    age = float(rng.beta(1.2, 2.0))
    hair = _hair_color(rng, depth, age)
    feminine = rng.uniform() < 0.5
    if feminine:
        style = _choice(rng, HAIR_STYLES, (0.3, 0.3, 0.5, 0.3, 1, 1.2, 1.4, 1.5, 1.5, 1.3, 1.3, 0.7))
    else:
        style = _choice(rng, HAIR_STYLES, (1.0, 1.3, 1.8, 1.6, 1.0, 1.2, 0.2, 0.4, 0.4, 0.4, 0.2, 0.0))
    beard = "none" if feminine else _choice(rng, BEARDS, (1.3, 1, 0.7, 1))
    makeup = float(rng.uniform(0.2, 1)) if feminine and rng.uniform() < 0.65 else 0.0
    light_eyes = rng.uniform() < 0.75 - 0.95 * depth
    skin_rgb = np.asarray(skin)
    brow = np.asarray(hair) * 0.62 + 0.12 * skin_rgb
    pair = _BACKGROUND_PAIRS[int(rng.integers(len(_BACKGROUND_PAIRS)))]
    shift = rng.uniform(-0.04, 0.04)
    return Identity(
        skin_color=skin,
        blush=float(rng.uniform(0.15, 1)),
        head_width=_scale(rng, 0.045),
        jaw_width=_scale(rng, 0.065) + (-0.015 if feminine else 0.045),
        chin_length=_signed(rng),
        eye_size=_scale(rng, 0.08) + (0.05 if feminine else -0.02),
        eye_roundness=_scale(rng, 0.16),
        eye_spacing=_scale(rng, 0.05),
        eye_tilt=_signed(rng),
        iris_color=_pick(rng, _IRIS_LIGHT if light_eyes else _IRIS_DARK),
        brow_thickness=_scale(rng, 0.25) + (-0.15 if feminine else 0.15),
        brow_arch=float(rng.uniform(0, 1)),
        brow_color=_color(brow),
        nose_width=_scale(rng, 0.14) + 0.14 * (depth - 0.5),
        nose_length=_signed(rng),
        lip_thickness=_scale(rng, 0.20) + 0.15 * (depth - 0.4) + (0.08 if feminine else -0.06),
        mouth_width=_scale(rng, 0.08),
        lip_color=_lip_color(rng, skin_rgb, makeup),
        ear_size=_scale(rng, 0.12),
        hair_style=style,
        hair_color=hair,
        hair_volume=_scale(rng, 0.3),
        hair_flip=bool(rng.uniform() < 0.5),
        glasses=_choice(rng, GLASSES, (3.2, 1, 1)),
        glasses_color=_pick(rng, _FRAMES),
        beard=beard,
        freckles=float(rng.uniform(0.3, 1)) if rng.uniform() < 0.35 * (1 - 0.7 * depth) else 0.0,
        age=age,
        makeup=makeup,
        makeup_color=_pick(rng, _SHADOWS),
        light_x=_signed(rng),
        light_warmth=_signed(rng),
        clothes=_choice(rng, CLOTHES, (1.4, 1, 1.2, 0.8, 0.8)),
        clothes_color=_pick(rng, _CLOTHES_COLORS),
        background=_choice(rng, BACKGROUNDS, (1.2, 1.4, 0.8, 0.8)),
        background_colors=(_color(_rgb(pair[0]) + shift), _color(_rgb(pair[1]) + shift)),
        texture_seed=int(rng.integers(2**31)),
    )
