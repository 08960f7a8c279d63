"""Which colours the numbers of a video mean, and back: any pixel format to RGB for an sRGB screen, and RGB to
what our own films hold (BT.709, limited range, 4:2:0), with the tags that say so.

The conversion is exact to half a level and the same on every processor. Chroma is repeated on the way in and
averaged over the same pixels on the way out, so what is not touched keeps its values through a film.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .hdr import HDR_NAMES, LINEAR, to_screen

# Numbers of ITU-T H.273, as FFmpeg uses them.
_BT709, _UNSPECIFIED, _BT2020_PRIMARIES = 1, 2, 9
_LIMITED, _FULL = 1, 2
_YCGCO, _ICTCP = 8, 14
# Coefficients by their number in H.273, as FFmpeg's scaler names them.
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
# Primaries whose colours are brought to BT.709; others are close to it, and players show them as they are.
_WIDE = {9, 11, 12}
# Codecs whose grey pictures are of limited range unless they say otherwise; in others grey is a picture's.
_LIMITED_GREY = {"h264", "hevc", "av1", "libdav1d", "vp9", "mpeg2video", "mpeg4", "vvc"}
# What yields exact and reproducible numbers: rounding, chroma at full size, and each of its samples repeated.
_EXACT = "flags=neighbor+accurate_rnd+full_chroma_int+bitexact"
_AVERAGED = "flags=area+accurate_rnd+full_chroma_inp+bitexact"


@dataclass(frozen=True)
class Colour:
    """What the samples of a picture mean.

    matrix      "bt709", "bt601", "bt2020", ...; "rgb" where there is nothing to convert, "ycgco"
    full        whether 0..255 is black to white, and not 16..235
    transfer    number in H.273 of the curve from samples to light
    primaries   number in H.273 of what red, green and blue are
    """

    matrix: str
    full: bool
    transfer: int
    primaries: int


TAGS = ("colorspace", "color_primaries", "color_trc", "color_range")


def colour_of(frame: Any, codec: Any, told: Mapping[str, int]) -> Colour:
    """What a decoded frame says about its colours, else its stream, else its container (``told``, by `TAGS`),
    else what players take for granted.
    """

    def tag(name: str) -> int:
        # PyAV before 17 knows the curve and the primaries of streams only.
        for value in (getattr(frame, name, None), getattr(codec, name, None), told.get(name)):
            if value is not None and int(value) not in (0, _UNSPECIFIED):
                return int(value)
        return _UNSPECIFIED

    name = frame.format.name
    transfer, primaries = tag("color_trc"), tag("color_primaries")
    if _is_rgb(frame.format):
        return Colour("rgb", True, transfer, primaries)
    ranges = (frame.color_range, codec.color_range, told.get("color_range"))
    stated = next((int(value) for value in ranges if value in (_LIMITED, _FULL)), 0)
    full = name.startswith("yuvj") or stated == _FULL
    if is_grey(frame.format):
        full = full or (stated != _LIMITED and codec.name not in _LIMITED_GREY)
        return Colour("grey", full, transfer, primaries)
    number = tag("colorspace")
    if number == _YCGCO:
        return Colour("ycgco", full, transfer, primaries)
    if number in _MATRICES:
        matrix = _MATRICES[number]
    elif number == _ICTCP or primaries == _BT2020_PRIMARIES or transfer in HDR_NAMES:
        matrix = "bt2020"
    else:
        matrix = "bt709" if frame.width >= 1280 or frame.height > 576 else "bt601"
    return Colour(matrix, full, transfer, primaries)


def _is_rgb(form: Any) -> bool:
    return bool(form.is_rgb or form.has_palette or form.name.startswith(("gbr", "xyz", "bayer")))


def is_grey(form: Any) -> bool:
    return bool(form.name.startswith(("gray", "ya", "mono")))


class ToRgb:
    """Decoded frames, of any format and size by turns, as RGB for an sRGB screen."""

    def __init__(self) -> None:
        self._graphs: dict[tuple[Any, ...], Any] = {}

    def __call__(self, frame: Any, colour: Colour) -> tuple[np.ndarray, np.ndarray | None]:
        """(uint8 [H, W, 3], uint8 [H, W] or None where every pixel is opaque).

        Raises ValueError for a pixel format that FFmpeg cannot convert.
        """
        height, width = frame.height, frame.width
        form = frame.format
        alpha = form.has_palette or any(component.is_alpha for component in form.components)
        curved = colour.transfer in HDR_NAMES or colour.transfer == LINEAR or colour.primaries in _WIDE
        target = ("rgba64le" if alpha else "rgb48le") if curved else ("rgba" if alpha else "rgb24")
        if (height % 2 or width % 2) and form.name.startswith("yuv"):
            frame = _with_full_chroma(frame)
        pixels = self._converted(frame, colour, target)
        pixels = pixels[:height, :width]
        rgb, opacity = pixels[..., :3], pixels[..., 3] if alpha else None
        if colour.matrix == "grey" and not colour.full:
            rgb = _stretched(rgb)
        if curved:
            rgb = to_screen(rgb, colour.transfer, colour.primaries)
            opacity = None if opacity is None else (opacity >> 8).astype(np.uint8)
        if opacity is not None and (opacity == 255).all():
            opacity = None
        return np.ascontiguousarray(rgb), opacity

    def _converted(self, frame: Any, colour: Colour, target: str) -> np.ndarray:
        chain = "out_range=pc:" + _EXACT
        if colour.matrix == "ycgco":
            return _from_ycgco(frame, colour.full, target)
        if colour.matrix == "grey":
            chain = "in_range=pc:" + chain
        elif colour.matrix != "rgb":
            side = "pc" if colour.full else "tv"
            chain = f"in_color_matrix={colour.matrix}:in_range={side}:" + chain
        key = (frame.width, frame.height, frame.format.name, chain, target)
        if key not in self._graphs:
            while len(self._graphs) >= 3:
                self._graphs.pop(next(iter(self._graphs)))
            self._graphs[key] = graph(frame, [("scale", chain), ("format", f"pix_fmts={target}")])
        return run(self._graphs[key], frame).to_ndarray()


class ToFilm:
    """RGB frames as the pictures of our films: BT.709, limited range, 4:2:0. Sides must be even."""

    def __init__(self) -> None:
        self._graph: Any = None
        self._size = (0, 0)

    def __call__(self, pixels: np.ndarray) -> Any:
        """uint8 [H, W, 3] -> a frame for an encoder; its time is not set."""
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        size = (frame.width, frame.height)
        if self._graph is None or size != self._size:
            chain = "out_color_matrix=bt709:out_range=tv:" + _AVERAGED
            self._graph = graph(frame, [("scale", chain), ("format", "pix_fmts=yuv420p")])
            self._size = size
        made = run(self._graph, frame)
        made.pict_type = 0
        return made


def declare_film(codec: Any) -> None:
    """Tell an encoder what `ToFilm` gives it; it writes that into the stream and the file."""
    codec.pix_fmt = "yuv420p"
    codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
    codec.color_range = _LIMITED


def graph(frame: Any, filters: list[tuple[str, str]]) -> Any:
    """A chain of FFmpeg's filters for frames like this one."""
    import av.filter

    made = av.filter.Graph()
    last = made.add(
        "buffer",
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/1000:pixel_aspect=1/1",
    )
    for name, arguments in [*filters, ("buffersink", "")]:
        node = made.add(name, arguments)
        last.link_to(node)
        last = node
    made.configure()
    return made


def run(made: Any, frame: Any) -> Any:
    """One frame through a chain that gives one for each; the frame keeps its time."""
    pts = frame.pts
    # The same time for all: the chain would complain about times that go backwards or are missing.
    frame.pts = 0
    try:
        made.push(frame)
        return made.pull()
    finally:
        frame.pts = pts


def _stretched(grey: np.ndarray) -> np.ndarray:
    """Limited range to full, for uint8 or uint16 of which every channel is the same."""
    top = 255 if grey.dtype == np.uint8 else 65535
    levels = np.arange(top + 1, dtype=np.float64)
    # The scaler repeats the bits of deep grey to 16 and does not add zeros: 235 of 255 is 235/255 of all.
    low, high = 16 / 255 * top, 235 / 255 * top
    table = ((levels - low) / (high - low) * top).clip(0, top).round().astype(grey.dtype)
    return table[grey]


def planes(frame: Any) -> list[np.ndarray]:
    """The planes of a planar frame [h, w], uint8 or uint16."""
    kind = np.dtype(np.uint8 if frame.format.components[0].bits <= 8 else "<u2")
    made = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height]
        made.append(rows[:, : plane.width * kind.itemsize].copy().view(kind))
    return made


def _with_full_chroma(frame: Any) -> Any:
    """A planar frame as 4:4:4. Of odd sides the scaler would stretch the chroma, which overhangs."""
    import av

    name = re.sub(r"^(yuv[aj]?)4\d\dp", r"\g<1>444p", frame.format.name)
    if name == frame.format.name or not name.startswith(("yuv444p", "yuvj444p", "yuva444p")):
        return frame
    full = av.VideoFrame(frame.width, frame.height, name)
    luma, *rest = planes(frame)
    for plane, samples in zip(full.planes, [luma, *rest], strict=True):
        down = -(-frame.height // samples.shape[0])
        across = -(-frame.width // samples.shape[1])
        whole = samples.repeat(down, 0).repeat(across, 1)[: frame.height, : frame.width]
        row = np.zeros((plane.height, plane.line_size // whole.itemsize), whole.dtype)
        row[:, : frame.width] = whole
        data = row.tobytes()
        plane.update(data + bytes(plane.buffer_size - len(data)))
    full.pts, full.time_base = frame.pts, frame.time_base
    return full


def _from_ycgco(frame: Any, full: bool, target: str) -> np.ndarray:
    """The matrix that FFmpeg's scaler does not know, in plain numbers."""
    luma, green, orange = (plane.astype(np.float32) for plane in planes(_with_full_chroma(frame))[:3])
    bits = frame.format.components[0].bits
    unit = 1 << (bits - 8)
    if full:
        scale, zero, span = float((1 << bits) - 1), 0.0, float((1 << bits) - 1)
    else:
        scale, zero, span = 219.0 * unit, 16.0 * unit, 224.0 * unit
    y, cg, co = (luma - zero) / scale, (green - 128 * unit) / span, (orange - 128 * unit) / span
    rgb = np.stack([y - cg + co, y + cg, y - cg - co], -1).clip(0, 1)
    deep = "48" in target or "64" in target
    made = (rgb * (65535 if deep else 255)).round().astype(np.uint16 if deep else np.uint8)
    if target.startswith("rgba"):
        made = np.concatenate([made, np.full_like(made[..., :1], 65535 if deep else 255)], -1)
    return made
