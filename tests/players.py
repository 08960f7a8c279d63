"""What a player shows, in plain numbers and without the code under test: streams of every property are
written from samples that are worked out here, and finished films are read sample by sample, with their tags
applied.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.media_files import turn

# One colour for each quarter: top left, top right, bottom left, bottom right.
COLOURS = np.array([[[200, 30, 30], [30, 160, 60]], [[40, 60, 200], [220, 210, 190]]], float)
WIDTH, HEIGHT, RATE, FRAMES = 64, 48, 25, 4
GREY = 128.0

# H.273: number of a matrix -> what red and blue weigh in luma.
WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
YCGCO = 8


def to_samples(rgb: np.ndarray, matrix: int, full: bool, bits: int) -> np.ndarray:
    """RGB 0..255 [..., 3] -> Y, Cb, Cr [..., 3] as whole numbers of ``bits``."""
    red, green, blue = np.moveaxis(rgb / 255, -1, 0)
    if matrix == YCGCO:
        luma, cb, cr = red / 4 + green / 2 + blue / 4, -red / 4 + green / 2 - blue / 4, (red - blue) / 2
    else:
        kr, kb = WEIGHTS[matrix]
        luma = kr * red + (1 - kr - kb) * green + kb * blue
        cb, cr = (blue - luma) / 2 / (1 - kb), (red - luma) / 2 / (1 - kr)
    unit, top = 1 << (bits - 8), (1 << bits) - 1
    if full:
        planes = [luma * top, cb * top + 128 * unit, cr * top + 128 * unit]
    else:
        planes = [(luma * 219 + 16) * unit, (cb * 224 + 128) * unit, (cr * 224 + 128) * unit]
    return np.stack(planes, -1).round()


def to_rgb(samples: np.ndarray, matrix: int, full: bool, bits: int) -> np.ndarray:
    """Y, Cb, Cr [..., 3] -> RGB 0..255 [..., 3]."""
    unit, top = 1 << (bits - 8), (1 << bits) - 1
    luma, cb, cr = np.moveaxis(samples.astype(float), -1, 0)
    if full:
        luma, cb, cr = luma / top, (cb - 128 * unit) / top, (cr - 128 * unit) / top
    else:
        luma, cb, cr = (luma / unit - 16) / 219, (cb / unit - 128) / 224, (cr / unit - 128) / 224
    if matrix == YCGCO:
        rgb = np.stack([luma - cb + cr, luma + cb, luma - cb - cr], -1)
    else:
        kr, kb = WEIGHTS[matrix]
        red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
        rgb = np.stack([red, (luma - kr * red - kb * blue) / (1 - kr - kb), blue], -1)
    return rgb.clip(0, 1) * 255


@dataclass(frozen=True)
class Stream:
    """A stream with properties, and what a player shows of it.

    meant    number of the matrix its samples are made with; None: RGB, or grey as it is
    full     whether its samples are of full range
    tags     attributes of the encoder: colorspace, color_range, ...
    aspect   of a pixel
    matrix   the display matrix's a, b, c, d
    alpha    opacity 0..255 of the left half; None: opaque
    """

    name: str
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    ending: str = "mp4"
    meant: int | None = 6
    full: bool = False
    tags: dict[str, Any] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    aspect: Fraction | None = None
    matrix: tuple[int, int, int, int] = (1, 0, 0, 1)
    alpha: int | None = None
    size: tuple[int, int] = (WIDTH, HEIGHT)
    grey: bool = False

    def write(self, folder: Path) -> Path:
        """The file. Raises ValueError or FFmpegError where this FFmpeg cannot write it."""
        path = folder / f"{self.name}.{self.ending}"
        options = {"crf": "1", **self.options} if self.codec == "libx264" else self.options
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream(self.codec, rate=RATE, options=options)
            stream.width, stream.height = self.size
            stream.pix_fmt = self.pix_fmt
            for tag, value in self.tags.items():
                setattr(stream.codec_context, tag, value)
            if self.aspect:
                stream.codec_context.sample_aspect_ratio = self.aspect
            for number in range(FRAMES):
                frame = self.frame()
                frame.pts, frame.time_base = number, Fraction(1, RATE)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        if self.matrix != (1, 0, 0, 1):
            turn(path, self.matrix)
        return path

    def frame(self) -> Any:
        frame = av.VideoFrame(*self.size, self.pix_fmt)
        components = frame.format.components
        bits = components[0].bits
        across, down = self.size
        picture = COLOURS[np.ix_(np.arange(down) * 2 // down, np.arange(across) * 2 // across)]
        opacity = np.full((down, across), 255.0)
        if self.alpha is not None:
            opacity[:, : across // 2] = self.alpha
        if self.grey:
            levels = picture.mean(-1)
            values = [levels if self.full else levels / 255 * 219 + 16]
            values[0] *= 1 << (bits - 8)
        elif self.meant is None:
            channels = [picture[..., 0], picture[..., 1], picture[..., 2]]
            if self.alpha is not None:
                channels.append(opacity)
            return _packed_rgb(frame, channels)
        else:
            samples = to_samples(picture, self.meant, self.full, bits)
            values = [samples[..., 0], samples[..., 1], samples[..., 2]]
            if self.alpha is not None:
                values.append((opacity / 255 * ((1 << bits) - 1)).round())
        for plane, value in zip(frame.planes, values, strict=True):
            y = np.arange(plane.height) * down // plane.height
            x = np.arange(plane.width) * across // plane.width
            _fill(plane, value[np.ix_(y, x)], bits)
        return frame

    def shown(self) -> np.ndarray:
        """The colours of the quarters as a player shows them, RGB [2, 2, 3] of 0..255."""
        colours = np.repeat(COLOURS.mean(-1, keepdims=True), 3, -1) if self.grey else COLOURS.copy()
        if self.alpha is not None:
            opacity = self.alpha / 255
            colours[:, 0] = colours[:, 0] * opacity + GREY * (1 - opacity)
        a, b, c, d = self.matrix
        turned = np.empty_like(colours)
        for y in range(2):
            for x in range(2):
                # Places from -1 to 1, so that the matrix turns about the middle.
                u, v = 2 * x - 1, 2 * y - 1
                turned[(b * u + d * v + 1) // 2, (a * u + c * v + 1) // 2] = colours[y, x]
        return turned

    def shape(self) -> tuple[int, int]:
        """Width and height of what a player shows, in square pixels."""
        width, height = (float(side) for side in self.size)
        if self.aspect and self.aspect > 1:
            width *= float(self.aspect)
        elif self.aspect:
            height /= float(self.aspect)
        return (round(height), round(width)) if self.matrix[0] == 0 else (round(width), round(height))


def _fill(plane: Any, values: np.ndarray, bits: int) -> None:
    kind = np.dtype(np.uint8 if bits <= 8 else "<u2")
    rows = np.zeros((plane.height, plane.line_size // kind.itemsize), kind)
    rows[:, : plane.width] = values
    data = rows.tobytes()
    plane.update(data + bytes(plane.buffer_size - len(data)))


def _packed_rgb(frame: Any, channels: list[np.ndarray]) -> Any:
    """A frame of RGB through an 8-bit one of the plainest order: nothing is converted but the order."""
    pixels = np.stack(channels, -1).round().astype(np.uint8)
    source = av.VideoFrame.from_ndarray(pixels, format="rgba" if pixels.shape[2] == 4 else "rgb24")
    return source.reformat(format=frame.format.name)


def quarters(picture: np.ndarray) -> np.ndarray:
    """The mean colours [2, 2, 3] of the middles of the quarters of a picture [H, W, 3]."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    edge_y, edge_x = height // 4, width // 4
    return np.array(
        [
            [
                picture[y + edge_y : y + height - edge_y, x + edge_x : x + width - edge_x].mean((0, 1))
                for x in (0, width)
            ]
            for y in (0, height)
        ]
    )


def film(path: Path) -> list[np.ndarray]:
    """The frames of one of our films as a player shows them, RGB floats [H, W, 3]: samples and tags."""
    frames = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        codec = stream.codec_context
        assert (codec.colorspace, codec.color_primaries, codec.color_trc) == (1, 1, 1), "it declares BT.709"
        assert codec.color_range == 1, "it declares limited range"
        assert stream.sample_aspect_ratio in (None, 0, 1)
        for frame in container.decode(stream):
            assert frame.format.name == "yuv420p" and frame.rotation == 0
            luma, *chroma = (
                np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[
                    : plane.height, : plane.width
                ]
                for plane in frame.planes
            )
            full = [plane.repeat(2, 0).repeat(2, 1)[: frame.height, : frame.width] for plane in chroma]
            frames.append(to_rgb(np.stack([luma, *full], -1), int(codec.colorspace), False, 8))
    return frames


_ALL_709 = {"colorspace": 1, "color_primaries": 1, "color_trc": 1}
_SIDES = {"mirrored": (-1, 0, 0, 1), "flipped": (1, 0, 0, -1), "turned_180": (-1, 0, 0, -1)}
_TURNS = {
    "turned_right": (0, 1, -1, 0),
    "turned_left": (0, -1, 1, 0),
    "transposed": (0, 1, 1, 0),
    "transposed_180": (0, -1, -1, 0),
}

STREAMS = [
    Stream("untagged_sd"),
    Stream("untagged_hd", meant=1, size=(1280, 96)),
    Stream("untagged_720_lines", meant=1, size=(64, 720)),
    Stream("bt709", meant=1, tags=_ALL_709),
    Stream("bt601_hd", meant=6, tags={"colorspace": 6}, size=(1280, 96)),
    Stream("bt470bg", meant=5, tags={"colorspace": 5}),
    Stream("fcc", meant=4, tags={"colorspace": 4}),
    Stream("smpte240m", meant=7, tags={"colorspace": 7}),
    Stream("bt2020_matrix", meant=9, tags={"colorspace": 9}),
    Stream("ycgco", meant=YCGCO, tags={"colorspace": YCGCO}, pix_fmt="yuv444p"),
    Stream("full_range", meant=1, full=True, tags={**_ALL_709, "color_range": 2}),
    Stream("yuvj", meant=1, full=True, tags=_ALL_709, pix_fmt="yuvj420p"),
    Stream("mjpeg_hd", "mjpeg", "yuvj420p", "avi", full=True, size=(1280, 96), options={"q": "1"}),
    Stream("ten_bits", meant=1, tags=_ALL_709, pix_fmt="yuv420p10le"),
    Stream("ten_bits_422", meant=1, tags=_ALL_709, pix_fmt="yuv422p10le"),
    Stream("twelve_bits", "ffv1", "yuv420p12le", "mkv", meant=1, tags=_ALL_709),
    Stream("422", meant=1, tags=_ALL_709, pix_fmt="yuv422p"),
    Stream("444", meant=1, tags=_ALL_709, pix_fmt="yuv444p"),
    Stream("411", "ffv1", "yuv411p", "mkv"),
    Stream("prores", "prores_ks", "yuv422p10le", "mov", meant=1, tags=_ALL_709),
    Stream("odd_sides", "ffv1", "yuv420p", "mkv", size=(47, 33)),
    Stream("vp9", "libvpx-vp9", ending="webm", options={"lossless": "1"}, meant=1, tags=_ALL_709),
    Stream("rgb_ffv1", "ffv1", "bgr0", "mkv", meant=None),
    Stream("rgb_h264", "libx264rgb", "rgb24", "mp4", meant=None, options={"qp": "1"}),
    Stream("rgb_png", "png", "rgb24", "mov", meant=None),
    Stream("palette_gif", "gif", "rgb8", "gif", meant=None),
    Stream("grey_h264", pix_fmt="gray", grey=True),
    Stream("grey_h264_full", pix_fmt="gray", grey=True, full=True, tags={"color_range": 2}),
    Stream("grey_ffv1", "ffv1", "gray", "mkv", grey=True, full=True),
    Stream("grey_ffv1_ten_bits", "ffv1", "gray10le", "mkv", grey=True, full=True),
    Stream("wide_pixels", aspect=Fraction(64, 45)),
    Stream("narrow_pixels", aspect=Fraction(8, 9)),
    Stream("wide_pixels_mkv", ending="mkv", aspect=Fraction(16, 11)),
    Stream("wide_pixels_avi", "mpeg4", ending="avi", aspect=Fraction(12, 11), options={"q": "1"}),
    *(Stream(name, matrix=matrix) for name, matrix in {**_SIDES, **_TURNS}.items()),
    Stream("wide_pixels_turned", matrix=_TURNS["turned_right"], aspect=Fraction(4, 3)),
    Stream("alpha_vp8", "libvpx", "yuva420p", "webm", alpha=51, options={"auto-alt-ref": "0", "crf": "4"}),
    Stream(
        "alpha_vp9",
        "libvpx-vp9",
        "yuva420p",
        "webm",
        meant=1,
        tags=_ALL_709,
        alpha=51,
        options={"auto-alt-ref": "0", "lossless": "1"},
    ),
    Stream("alpha_vp9_none", "libvpx-vp9", "yuva420p", "webm", alpha=0, options={"lossless": "1"}),
    Stream("alpha_prores", "prores_ks", "yuva444p10le", "mov", alpha=51, options={"profile": "4"}),
    Stream("alpha_qtrle", "qtrle", "argb", "mov", meant=None, alpha=51),
    Stream("alpha_png", "png", "rgba", "mov", meant=None, alpha=51),
    Stream("alpha_apng", "apng", "rgba", "apng", meant=None, alpha=51),
    Stream("alpha_ffv1", "ffv1", "yuva420p", "mkv", alpha=51),
    Stream("alpha_ffv1_rgb", "ffv1", "bgra", "mkv", meant=None, alpha=51),
    Stream("alpha_ffv1_ten_bits", "ffv1", "yuva444p10le", "mkv", alpha=51),
    Stream("alpha_utvideo", "utvideo", "gbrap", "avi", meant=None, alpha=51),
    *(
        Stream(f"full_{ending}", ending=ending, meant=1, full=True, tags={**_ALL_709, "color_range": 2})
        for ending in ("mkv", "mov", "ts")
    ),
    Stream("full_bt601", pix_fmt="yuv420p10le", meant=5, full=True, tags={"colorspace": 5, "color_range": 2}),
    Stream("full_untagged_hd", meant=1, full=True, tags={"color_range": 2}, size=(1280, 96)),
    Stream(
        "full_vp9",
        "libvpx-vp9",
        ending="webm",
        options={"lossless": "1"},
        meant=1,
        full=True,
        tags={**_ALL_709, "color_range": 2},
    ),
    Stream("bt2020_constant", pix_fmt="yuv420p10le", meant=9, tags={"colorspace": 10}),
    Stream("ycgco_full", meant=YCGCO, full=True, tags={"colorspace": YCGCO, "color_range": 2}),
    Stream("srgb_curve", meant=1, tags={"colorspace": 1, "color_primaries": 1, "color_trc": 13}),
    Stream("pal_primaries", meant=1, tags={"colorspace": 1, "color_primaries": 5, "color_trc": 5}),
    Stream("mjpeg_444", "mjpeg", "yuvj444p", "mov", full=True, options={"q": "1"}),
    Stream(
        "mjpeg_limited",
        "mjpeg",
        "yuv420p",
        "mkv",
        tags={"color_range": 1},
        options={"q": "1", "strict": "unofficial"},
    ),
    Stream("narrow_pixels_turned", matrix=_TURNS["turned_left"], aspect=Fraction(8, 9)),
    Stream("wide_pixels_transposed", matrix=_TURNS["transposed"], aspect=Fraction(64, 45)),
    Stream("wide_pixels_mirrored", ending="mov", matrix=_SIDES["mirrored"], aspect=Fraction(12, 11)),
    Stream("wide_pixels_ts", ending="ts", aspect=Fraction(10, 11)),
    Stream("wide_pixels_mpeg2", "mpeg2video", ending="mpg", options={"q": "1"}, aspect=Fraction(4, 3)),
    Stream("odd_sides_turned", pix_fmt="yuv444p", size=(47, 33), matrix=_TURNS["turned_left"]),
    Stream("odd_sides_ten_bits", "ffv1", "yuv420p10le", "mkv", size=(47, 33)),
    Stream("odd_sides_vp9", "libvpx-vp9", ending="webm", options={"lossless": "1"}, size=(47, 33)),
    Stream("gbr_ffv1_ten_bits", "ffv1", "gbrp10le", "mkv", meant=None),
    Stream("gbr_vp9", "libvpx-vp9", "gbrp", "webm", meant=None, options={"lossless": "1"}),
    Stream("gbr_magicyuv", "magicyuv", "gbrp", "avi", meant=None),
    Stream("rgb_raw", "rawvideo", "bgr24", "avi", meant=None),
    Stream("rgb_raw_deep", "rawvideo", "rgb48le", "nut", meant=None),
    Stream("440", "ffv1", "yuv440p", "mkv"),
    Stream("410", "ffv1", "yuv410p", "mkv"),
    Stream("v210", "v210", "yuv422p10le", "mov"),
    Stream("sixteen_bits", "ffv1", "yuv444p16le", "mkv", meant=1, tags=_ALL_709),
    Stream(
        "dnxhr",
        "dnxhd",
        "yuv422p",
        "mov",
        meant=1,
        tags=_ALL_709,
        options={"profile": "dnxhr_hq"},
        size=(256, 128),
    ),
    Stream("y4m", "wrapped_avframe", "yuv420p", "y4m"),
    Stream("grey_h264_ten_bits", pix_fmt="gray10le", grey=True),
    Stream("alpha_odd_sides", "ffv1", "yuva420p", "mkv", alpha=51, size=(47, 33)),
    Stream(
        "alpha_prores_turned",
        "prores_ks",
        "yuva444p10le",
        "mov",
        alpha=51,
        options={"profile": "4"},
        matrix=_TURNS["turned_right"],
    ),
    Stream("alpha_gbr_ten_bits", "ffv1", "gbrap10le", "mkv", meant=None, alpha=51),
    Stream("alpha_png_deep", "png", "rgba64be", "mov", meant=None, alpha=51),
    Stream("alpha_raw", "rawvideo", "bgra", "avi", meant=None, alpha=51),
    Stream(
        "alpha_vp9_full",
        "libvpx-vp9",
        "yuva420p",
        "webm",
        meant=1,
        full=True,
        alpha=51,
        tags={**_ALL_709, "color_range": 2},
        options={"auto-alt-ref": "0", "lossless": "1"},
    ),
]
