"""HDR and wide colours on an ordinary screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eadnet.media.hdr import to_screen
from eadnet.media.reader import VideoReader
from tests.players import Stream, quarters

BT2020 = {"colorspace": 9, "color_primaries": 9}
LINEAR, PQ, HLG = 8, 16, 18


def srgb(light: float) -> float:
    """Linear light 0..1 as a level of 0..255."""
    return 255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)


def hlg(code: float) -> float:
    """cd/m2 on a screen of 1000 cd/m2, for grey (ITU-R BT.2100)."""
    scene = code**2 / 3 if code <= 0.5 else (np.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return float(1000 * scene**1.2)


def pq(code: float) -> float:
    """cd/m2 (SMPTE ST 2084)."""
    power = code ** (32 / 2523)
    return float(10_000 * (max(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (16384 / 2610))


def grey(code: float, transfer: int) -> float:
    picture = np.full((1, 1, 3), round(code * 65535), np.uint16)
    shown = to_screen(picture, transfer, 9)[0, 0]
    assert shown.max() - shown.min() <= 1, "grey stays grey"
    return float(shown.mean())


@pytest.mark.parametrize("code", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
@pytest.mark.parametrize("transfer", [HLG, PQ])
def test_what_is_darker_than_half_of_white_is_as_bright_as_it_was_made(code: float, transfer: int) -> None:
    """White is 203 cd/m2 (ITU-R BT.2408)."""
    light = (hlg if transfer == HLG else pq)(code)
    assert light < 100
    assert grey(code, transfer) == pytest.approx(srgb(light / 203), abs=1.5)


@pytest.mark.parametrize("transfer", [HLG, PQ])
def test_what_is_brighter_is_rolled_off_and_never_darker_than_what_is_darker(transfer: int) -> None:
    shown = [grey(code, transfer) for code in np.linspace(0, 1, 200)]
    assert all(b >= a for a, b in zip(shown, shown[1:], strict=False))
    white = grey(0.75 if transfer == HLG else 0.5807, transfer)
    assert 200 < white < 250, "white is bright, and there is room above it"
    assert shown[-1] >= 254


@pytest.mark.parametrize(
    ("primaries", "corners"),
    [
        (9, ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
        (12, ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
    ],
)
def test_a_colour_of_wide_primaries_is_the_same_colour(
    primaries: int, corners: tuple[tuple[float, float], ...]
) -> None:
    """Worked out by way of CIE XYZ: a colour that sRGB has, too, comes back."""

    def to_xyz(corners: tuple[tuple[float, float], ...]) -> np.ndarray:
        columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in corners]).T
        return columns * np.linalg.solve(columns, [0.3127 / 0.329, 1, (1 - 0.3127 - 0.329) / 0.329])

    colour = np.array([200.0, 90.0, 60.0])
    code = colour / 255
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    bt709 = to_xyz(((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)))
    wide = np.linalg.solve(to_xyz(corners), bt709 @ light)
    coded = np.array([srgb(float(value)) / 255 for value in wide])
    picture = (coded * 65535).round().astype(np.uint16)[None, None]
    assert abs(to_screen(picture, 1, primaries)[0, 0] - colour).max() <= 1


@pytest.mark.parametrize(("transfer", "name"), [(HLG, "HLG"), (PQ, "PQ")])
def test_an_hdr_video_is_toned_down_and_says_so(tmp_path: Path, transfer: int, name: str) -> None:
    tags = {**BT2020, "color_trc": transfer}
    stream = Stream("hdr", pix_fmt="yuv420p10le", meant=9, tags=tags)
    with VideoReader(stream.write(tmp_path)) as reader:
        got = quarters(reader.picture(0))
        assert len(reader.notes) == 1 and f"hdr.mp4 is HDR ({name})" in reader.notes[0]
    red, green, blue, bright = got.reshape(4, 3)
    assert red.argmax() == 0 and green.argmax() == 1 and blue.argmax() == 2
    assert bright.min() > 140


def test_a_wide_video_of_ordinary_brightness_is_shown_without_a_word(tmp_path: Path) -> None:
    tags = {**BT2020, "color_trc": 14}
    stream = Stream("wide", pix_fmt="yuv420p10le", meant=9, tags=tags)
    with VideoReader(stream.write(tmp_path)) as reader:
        got = quarters(reader.picture(0))
        assert reader.notes == []
    assert abs(got[1, 1] - [220, 210, 190]).max() < 8, "next to grey, all primaries agree"
    assert got[0, 0, 0] > 205, "the red of BT.2020 is redder"


def test_linear_light_is_brought_to_the_screens_curve(tmp_path: Path) -> None:
    tags = {"colorspace": 1, "color_primaries": 1, "color_trc": LINEAR}
    stream = Stream("linear", pix_fmt="yuv444p10le", ending="mkv", meant=1, tags=tags)
    with VideoReader(stream.write(tmp_path)) as reader:
        got = quarters(reader.picture(0))
    expected = np.vectorize(srgb)(stream.shown() / 255)
    assert abs(got - expected).max() <= 4
