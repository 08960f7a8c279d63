"""Small colour profiles (ICC 2), and what their colours are in sRGB, worked out without a colour library."""

from __future__ import annotations

import struct

import numpy as np

# Where red, green and blue lie in CIE XYZ under D50, to which profiles refer.
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
ADOBE_RGB = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
DISPLAY_P3 = np.array(
    [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
)
_D50 = (0.96420, 1.0, 0.82491)


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, data = b"", b""
    begin = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", begin + len(data), len(content))
        data += content
    header = struct.pack(
        ">I4sI4s4s4s12s4s4sI4s4sQI12s4s44s",
        begin + len(data),
        b"none",
        0x02400000,
        b"mntr",
        space,
        b"XYZ ",
        struct.pack(">6H", 2026, 1, 1, 0, 0, 0),
        b"acsp",
        b"none",
        0,
        b"none",
        b"none",
        0,
        0,
        _fixed(*_D50),
        b"none",
        bytes(44),
    )
    return header + struct.pack(">I", len(tags)) + table + data


def _described(name: str) -> bytes:
    text = name.encode() + b"\0"
    return b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(4 + 4 + 2 + 1 + 67)


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def rgb_profile(primaries: np.ndarray, gamma: float, name: str = "test") -> bytes:
    """A profile of three primaries and one gamma."""
    tags = {b"desc": _described(name), b"cprt": b"text" + bytes(4) + b"none\0"}
    tags[b"wtpt"] = b"XYZ " + bytes(4) + _fixed(*_D50)
    for letter, column in zip((b"r", b"g", b"b"), primaries.T, strict=True):
        tags[letter + b"XYZ"] = b"XYZ " + bytes(4) + _fixed(*column)
        tags[letter + b"TRC"] = _curve(gamma)
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    tags = {b"desc": _described("grey"), b"cprt": b"text" + bytes(4) + b"none\0"}
    tags[b"wtpt"] = b"XYZ " + bytes(4) + _fixed(*_D50)
    tags[b"kTRC"] = _curve(gamma)
    return _profile(b"GRAY", tags)


def to_srgb(colour: np.ndarray, primaries: np.ndarray, gamma: float) -> np.ndarray:
    """Levels 0..255 [..., 3] of such a profile -> levels of sRGB."""
    light = ((colour / 255) ** gamma) @ primaries.T @ np.linalg.inv(SRGB).T
    light = light.clip(0, 1)
    code = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return code * 255
