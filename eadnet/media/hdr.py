"""Wide and bright pictures on an ordinary screen: HDR (HLG, PQ) tone-mapped, wide primaries brought to sRGB.

Curves: ITU-R BT.2100 (HLG with its system gamma for 1000 cd/m2, PQ), SMPTE ST 2084; tone mapping by the
knee of ITU-R BT.2390 (5.4.1) on the largest of R, G and B, with white at 203 cd/m2 (ITU-R BT.2408): what is
darker than about half of white stays as it is, what is brighter is rolled off.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

LINEAR, PQ, HLG = 8, 16, 18  # numbers of ITU-T H.273
HDR_NAMES = {PQ: "PQ", HLG: "HLG"}
_WHITE, _PEAK = 203.0, 1000.0  # cd/m2

# Chromaticities of red, green, blue; white is D65 for all but 11 (DCI).
_PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)
_ROWS = 64  # of a picture that are worked on together


def to_screen(rgb: np.ndarray, transfer: int, primaries: int) -> np.ndarray:
    """uint16 [H, W, 3] of any curve and primaries -> uint8 [H, W, 3] for an sRGB screen."""
    made = np.empty(rgb.shape, np.uint8)
    if transfer in HDR_NAMES and primaries not in _PRIMARIES:
        primaries = 9
    matrix = to_srgb(primaries).astype(np.float32)
    for top in range(0, len(rgb), _ROWS):
        light = _to_light(transfer)[rgb[top : top + _ROWS]]
        if transfer == HLG:
            luminance = light @ np.array([0.2627, 0.6780, 0.0593], np.float32)
            light *= (_PEAK / _WHITE * luminance**0.2)[..., None]
        if transfer in HDR_NAMES:
            brightest = light.max(-1)
            place = np.sqrt(brightest / np.float32(10_000 / _WHITE)) * np.float32(len(_roll_off()) - 1)
            light *= _roll_off()[place.clip(0, len(_roll_off()) - 1).astype(np.int32)][..., None]
        light = light @ matrix.T
        codes = (light.clip(0, 1) * 65535 + 0.5).astype(np.uint16)
        made[top : top + _ROWS] = _srgb_bytes()[codes]
    return made


@lru_cache(maxsize=8)
def to_srgb(primaries: int) -> np.ndarray:
    """[3, 3], linear light of these primaries to linear light of BT.709 (and sRGB)."""
    if primaries not in _PRIMARIES or primaries == 1:
        return np.eye(3)
    return np.linalg.inv(_to_xyz(_PRIMARIES[1])) @ _to_xyz(_PRIMARIES[primaries])


def _to_xyz(corners: tuple[tuple[float, float], ...]) -> np.ndarray:
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in corners]).T
    x, y = _D65
    white = np.array([x / y, 1.0, (1 - x - y) / y])
    return columns * np.linalg.solve(columns, white)


@lru_cache(maxsize=8)
def _to_light(transfer: int) -> np.ndarray:
    """Linear light for each of 65536 codes, 1 = white; HDR before its roll-off, HLG before its gamma."""
    code = np.arange(65536) / 65535
    if transfer == PQ:
        light = pq_to_light(code) / _WHITE
    elif transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    elif transfer == LINEAR:
        light = code
    else:  # what every screen makes of ordinary video
        light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


@lru_cache(maxsize=1)
def _srgb_bytes() -> np.ndarray:
    """The byte for each of 65536 levels of linear light."""
    light = np.arange(65536) / 65535
    code = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (code * 255).round().astype(np.uint8)


def pq_to_light(code: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084: 0..1 -> cd/m2."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = np.power(code, 1 / m2)
    return 10_000 * np.power(np.maximum(power - c1, 0) / (c2 - c3 * power), 1 / m1)


def light_to_pq(light: np.ndarray) -> np.ndarray:
    """cd/m2 -> 0..1."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = np.power(np.maximum(light, 0) / 10_000, m1)
    return np.power((c1 + c2 * power) / (1 + c3 * power), m2)


@lru_cache(maxsize=1)
def _roll_off() -> np.ndarray:
    """What light is multiplied with, for the square root of its brightness from 0 to 10,000 cd/m2."""
    nits = np.linspace(0, 1, 8192) ** 2 * 10_000
    source, target = light_to_pq(np.array(_PEAK)), light_to_pq(np.array(_WHITE))
    code = np.minimum(light_to_pq(nits) / source, 1)
    most = target / source
    knee = 1.5 * most - 0.5
    t = (code - knee) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * most
    )
    shown = pq_to_light(np.where(code < knee, code, spline) * source)
    gain = shown / np.maximum(nits, 1e-6)
    gain[0] = 1
    return gain.astype(np.float32)
