"""What a player shows of a decoded frame: upright, of square pixels and known colour, on grey where it is
transparent, always of one size.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import InputError
from .colour import ToRgb, colour_of, graph, planes, run
from .hdr import HDR_NAMES
from .notes import add_note
from .streams import Decoder

GREY = 128  # what shows through transparent pixels
_NARROW, _WIDE = Fraction(1, 8), Fraction(8)  # pixel aspects beyond are nonsense
_LONGEST = 16384  # pixels of a side
# Share of the pixels that must lie apart from both the line above and the one below, which are alike.
_COMBED, _APART = 0.004, 12
_AROUND = 4  # pixels beside a comb that are made up with it


class Display:
    """Turns decoded frames of a stream into uint8 [H, W, 3].

    ``size`` (width, height) is that of the first frame shown; frames of another are fitted into it, on black.
    ``notes`` gets a sentence for what was changed and cannot be seen from the result.
    """

    def __init__(self, name: str, stream: Any, decoder: Decoder, notes: list[str]) -> None:
        self.size: tuple[int, int] | None = None
        self.notes = notes
        self._name, self._decoder = name, decoder
        self._to_rgb = ToRgb()
        self._aspect = _aspect(stream)
        self._codec_aspect = decoder.codec.sample_aspect_ratio
        if decoder.alpha_is_lost:
            self._note("is transparent, which this FFmpeg cannot read: it is shown as if it were not")

    def pixels(self, frame: Any, decoder: Decoder | None = None) -> np.ndarray:
        """A frame, which ``decoder`` gave (None: the one it was made with), as uint8 [H, W, 3].

        Raises InputError for a pixel format that cannot be shown.
        """
        codec = (decoder or self._decoder).codec
        combed = _combed(frame) if frame.interlaced_frame else None
        colour = colour_of(frame, codec, self._decoder.told)
        if colour.transfer in HDR_NAMES:
            self._note(
                f"is HDR ({HDR_NAMES[colour.transfer]}): its bright parts are toned down to what the film "
                "can show; convert it to SDR before to choose how"
            )
        try:
            pixels, alpha = self._to_rgb(frame, colour)
            if combed is not None:
                pixels = np.where(combed[..., None], self._to_rgb(_progressive(frame), colour)[0], pixels)
                self._note(
                    "is interlaced: every second line of moving parts is made up; a video that was "
                    "deinterlaced before is sharper"
                )
        except (ValueError, OSError, NotImplementedError) as error:
            raise InputError(
                f"{self._name} holds {frame.format.name} pictures, which cannot be shown: convert it to MP4."
            ) from error
        if alpha is not None:
            pixels = on_grey(pixels, alpha)
        pixels = self._square(pixels, codec.sample_aspect_ratio)
        pixels = oriented(pixels, display_matrix(frame))
        if self.size is None:
            self.size = (pixels.shape[1], pixels.shape[0])
        elif (pixels.shape[1], pixels.shape[0]) != self.size:
            self._note(
                f"changes its picture size on the way: all of it is shown at {self.size[0]} x {self.size[1]}"
                ", the size of its first picture"
            )
            pixels = fitted(pixels, self.size)
        return pixels

    def _square(self, pixels: np.ndarray, now: Fraction | None) -> np.ndarray:
        """Stretched so that pixels are square, as players do: the shorter side of a pixel grows."""
        aspect = self._aspect
        if now and now != self._codec_aspect:
            aspect = Fraction(now)  # the stream says another one than at its beginning
        if aspect == 1:
            return pixels
        height, width = pixels.shape[:2]
        if aspect > 1:
            width = even(width * aspect)
        else:
            height = even(height / aspect)
        if not _NARROW <= aspect <= _WIDE or max(width, height) > _LONGEST:
            self._note(f"has pixels of {aspect.numerator}:{aspect.denominator}: they are taken as square")
            return pixels
        return resized(pixels, width, height)

    def _note(self, what: str) -> None:
        add_note(self.notes, f"{self._name} {what}.")


def on_grey(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Pixels uint8 [..., 3] over grey, as opaque as alpha uint8 [...] says."""
    opacity = alpha[..., None].astype(np.uint16)
    return ((pixels * opacity + GREY * (255 - opacity) + 127) // 255).astype(np.uint8)


def even(side: Fraction | float) -> int:
    return max(2, 2 * round(side / 2))


def _aspect(stream: Any) -> Fraction:
    """Width of a pixel by its height; where nothing is said, 1."""
    aspect = stream.sample_aspect_ratio
    return Fraction(aspect) if aspect and aspect > 0 else Fraction(1)


Matrix = tuple[int, int, int, int]
_UPRIGHT: Matrix = (1, 0, 0, 1)


def display_matrix(frame: Any) -> Matrix:
    """How the picture is laid on the screen: (a, b, c, d) with x' = a x + c y and y' = b x + d y, as FFmpeg's
    display matrix, y downwards; only the signs and the larger pair count.
    """
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except (ValueError, TypeError):  # side data beside it that PyAV has no name for
        return _turned(frame.rotation)
    if data is None or data.buffer_size < 36:
        return _UPRIGHT
    a, b, _, c, d, *_ = np.frombuffer(bytes(data)[:36], np.int32).tolist()
    return (a, b, c, d) if (a or b) and (c or d) else _UPRIGHT


def _turned(degrees: int) -> Matrix:
    """The matrix that turns by right angles counter-clockwise."""
    return {0: _UPRIGHT, 1: (0, -1, 1, 0), 2: (-1, 0, 0, -1), 3: (0, 1, -1, 0)}[round(degrees / 90) % 4]


def oriented(pixels: np.ndarray, matrix: Matrix) -> np.ndarray:
    """Pixels [H, W, C] turned and mirrored by right angles."""
    a, b, c, d = matrix
    if abs(a) + abs(d) < abs(b) + abs(c):
        pixels = pixels.swapaxes(0, 1)
        a, d = c, b
    if a < 0:
        pixels = pixels[:, ::-1]
    if d < 0:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def resized(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """uint8 [H, W, 3] at another size, smoothly and alike on every processor."""
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    how = f"w={width}:h={height}:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
    return run(graph(frame, [("scale", how), ("format", "pix_fmts=rgb24")]), frame).to_ndarray()


def fitted(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The whole picture in a frame of ``size`` (width, height), its shape kept, black around it."""
    width, height = size
    scale = min(Fraction(width, pixels.shape[1]), Fraction(height, pixels.shape[0]))
    inner = (
        min(width, max(1, round(pixels.shape[1] * scale))),
        min(height, max(1, round(pixels.shape[0] * scale))),
    )
    small = resized(pixels, *inner)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    whole = np.zeros((height, width, 3), np.uint8)
    whole[top : top + inner[1], left : left + inner[0]] = small
    return whole


def _combed(frame: Any) -> np.ndarray | None:
    """Where the two halves of an interlaced frame are of different moments, bool [H, W]: around lines that
    stick out from neighbours which are alike. None where they nowhere are.
    """
    if not frame.format.name.startswith(("yuv", "gray")):
        return None
    luma = planes(frame)[0]
    shift = frame.format.components[0].bits - 8
    lines = (luma >> shift if shift > 0 else luma).astype(np.int16)
    if len(lines) < 8:
        return None
    above, here, below = lines[:-2], lines[1:-1], lines[2:]
    sticks_out = (np.abs(here - above) > _APART) & (np.abs(here - below) > _APART)
    sticks_out &= ((here > above) == (here > below)) & (np.abs(above - below) < _APART // 2)
    if sticks_out.mean() <= _COMBED:
        return None
    return _grown(np.pad(sticks_out, ((1, 1), (0, 0))), _AROUND)


def _grown(mask: np.ndarray, by: int) -> np.ndarray:
    """A mask [H, W] and what lies within so many pixels of it."""
    for axis in (0, 1):
        sums = np.cumsum(np.pad(mask, [(by + 1, by) if a == axis else (0, 0) for a in (0, 1)]), axis)
        size = mask.shape[axis]
        late, early = np.arange(size) + 2 * by + 1, np.arange(size)
        mask = np.take(sums, late, axis) > np.take(sums, early, axis)
    return mask


def _progressive(frame: Any) -> Any:
    """The lines of the first half of an interlaced frame, and what lies between them along the edges."""
    pts, base = frame.pts, frame.time_base
    frame.pts = 0
    chain = graph(frame, [("estdif", "mode=frame:parity=auto:deint=all")])
    chain.push(frame)
    chain.push(None)
    made = chain.pull()
    frame.pts = pts
    made.pts, made.time_base = pts, base
    return made
