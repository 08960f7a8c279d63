"""Pictures of any kind come in upright, in [0, 1], with the transparency they have."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps, PngImagePlugin

from eadnet.errors import InputError
from eadnet.media.images import contact_sheet, read_image, write_png
from tests.icc import ADOBE_RGB, DISPLAY_P3, SRGB, grey_profile, rgb_profile, to_srgb

RED, HALF = (255, 0, 0), 128


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGB", RED, (1, 0, 0)),
        ("RGBA", (255, 0, 0, 128), (1, 0, 0, 128 / 255)),
        ("L", 51, (0.2, 0.2, 0.2)),
        ("LA", (51, 255), (0.2, 0.2, 0.2, 1)),
        ("1", 1, (1, 1, 1)),
        ("I;16", 13107, (0.2, 0.2, 0.2)),
    ],
)
def test_every_kind_of_pixel_is_converted(tmp_path: Path, mode: str, colour: object, expected: tuple) -> None:
    image = read_image(saved(tmp_path / "a.png", Image.new(mode, (5, 3), colour)))  # type: ignore[arg-type]
    assert image.shape == (3, 5, len(expected)) and image.dtype == torch.float32
    torch.testing.assert_close(image[1, 2], torch.tensor(expected, dtype=torch.float32), atol=1e-3, rtol=0)


def test_palettes_with_and_without_transparency(tmp_path: Path) -> None:
    palette = Image.new("RGB", (4, 4), RED).quantize(4)
    assert read_image(saved(tmp_path / "p.png", palette))[0, 0].tolist() == [1, 0, 0]
    see_through = read_image(saved(tmp_path / "t.png", palette, transparency=palette.getpixel((0, 0))))
    assert see_through.shape == (4, 4, 4) and see_through[0, 0, 3] == 0


def test_print_colours_are_converted(tmp_path: Path) -> None:
    image = read_image(saved(tmp_path / "a.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), quality=95))
    assert image.shape == (8, 8, 3) and image[4, 4, 0] > 0.8 and image[4, 4, 1] < 0.2


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0))])
def test_the_cameras_rotation_is_applied(tmp_path: Path, orientation: int, corner: tuple[int, int]) -> None:
    pixels = np.zeros((32, 48, 3), dtype=np.uint8)
    pixels[:16, :16] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = read_image(saved(tmp_path / "a.jpg", Image.fromarray(pixels), exif=exif.tobytes(), quality=95))
    assert image.shape[:2] == ((32, 48) if orientation in (1, 3) else (48, 32))
    assert image[corner].min() > 0.9 and image.mean() < 0.3


PROFILES = {"Adobe RGB": (ADOBE_RGB, 2.19921875), "Display P3": (DISPLAY_P3, 2.19921875)}
COLOURS = np.array([[190, 120, 90], [60, 120, 70], [80, 90, 150], [200, 200, 200], [16, 16, 16]], np.uint8)


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("alpha", [None, 128])
def test_colours_of_a_profile_are_the_same_in_srgb(
    tmp_path: Path, name: str, ending: str, alpha: int | None
) -> None:
    primaries, gamma = PROFILES[name]
    pixels = COLOURS[:, None].repeat(16, 0).repeat(16, 1)
    image = Image.fromarray(pixels)
    if alpha is not None:
        if ending == "jpg":
            pytest.skip("JPEG has no transparency")
        image.putalpha(alpha)
    options: dict[str, object] = {"icc_profile": rgb_profile(primaries, gamma, name)}
    if ending == "jpg":
        options |= {"quality": 100, "subsampling": 0}
    elif ending == "webp":
        options["lossless"] = True
    got = read_image(saved(tmp_path / f"a.{ending}", image, **options)).numpy()
    expected = to_srgb(COLOURS.astype(float), primaries, gamma)
    assert got.shape == (80, 16, 3 if alpha is None else 4)
    assert abs(got[8::16, 8, :3] * 255 - expected).max() <= 2.5
    if alpha is not None:
        assert abs(got[..., 3] * 255 - alpha).max() < 0.5


def test_the_profile_of_a_palette_is_that_of_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(COLOURS[:, None].repeat(4, 1)).quantize(8)
    got = read_image(saved(tmp_path / "a.png", image, icc_profile=rgb_profile(ADOBE_RGB, 2.2)))
    assert abs(got[:, 0].numpy() * 255 - to_srgb(COLOURS.astype(float), ADOBE_RGB, 2.2)).max() <= 3


def test_grey_with_a_profile_is_as_bright(tmp_path: Path) -> None:
    image = Image.new("L", (4, 4), 100)
    got = read_image(saved(tmp_path / "a.png", image, icc_profile=grey_profile(1.0)))
    assert got.shape == (4, 4, 3)
    assert abs(got[0, 0].numpy() * 255 - to_srgb(np.full(3, 100.0), SRGB, 1.0)).max() <= 2


@pytest.mark.parametrize("profile", [rgb_profile(SRGB, 2.2, "sRGB IEC61966-2.1"), b"damaged", b""])
def test_srgb_and_damaged_profiles_change_nothing(tmp_path: Path, profile: bytes) -> None:
    grain = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    got = read_image(saved(tmp_path / "a.png", Image.fromarray(grain), icc_profile=profile))
    assert torch.equal(got, torch.from_numpy(grain.astype(np.float32) / 255))


@pytest.mark.parametrize("gamma", [1.0, 1 / 1.8])
def test_a_png_that_states_another_gamma_is_as_bright(tmp_path: Path, gamma: float) -> None:
    chunk = PngImagePlugin.PngInfo()
    chunk.add(b"gAMA", struct.pack(">I", round(gamma * 100_000)))
    path = saved(tmp_path / "a.png", Image.fromarray(COLOURS[:, None]), pnginfo=chunk)
    expected = to_srgb(COLOURS.astype(float), SRGB, 1 / gamma)
    assert abs(read_image(path)[:, 0].numpy() * 255 - expected).max() <= 1
    usual = PngImagePlugin.PngInfo()
    usual.add(b"gAMA", struct.pack(">I", 45455))
    path = saved(tmp_path / "b.png", Image.fromarray(COLOURS[:, None]), pnginfo=usual)
    assert torch.equal(read_image(path)[:, 0], torch.from_numpy(COLOURS.astype(np.float32) / 255))


@pytest.mark.parametrize("orientation", range(10))  # 0 and 9 mean nothing
@pytest.mark.parametrize("mode", ["L", "RGB", "P", "CMYK", "I;16"])
def test_every_orientation_of_every_kind_is_pillows(tmp_path: Path, mode: str, orientation: int) -> None:
    grain = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 40, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    ending = ".jpg" if mode == "CMYK" else ".png"
    picture = grain.convert("L").convert("I;16") if mode == "I;16" else grain.convert(mode)
    path = saved(tmp_path / f"a{ending}", picture, exif=exif.tobytes())
    with Image.open(path) as opened:
        upright = ImageOps.exif_transpose(opened)
        pixels = np.asarray(upright if mode == "I;16" else upright.convert("RGB"), np.float32)
    highest = np.float32(65535 if mode == "I;16" else 255)
    expected = torch.from_numpy(pixels / highest)
    assert torch.equal(
        read_image(path), expected[..., None].expand(-1, -1, 3) if pixels.ndim == 2 else expected
    )


def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (4, 4), RED), Image.new("RGB", (4, 4), (0, 0, 255))
    path = saved(tmp_path / "a.gif", first, save_all=True, append_images=[second])
    assert read_image(path)[0, 0, :3].tolist() == [1, 0, 0]


@pytest.mark.parametrize("size", [(1, 1), (4000, 3)])
def test_any_size_is_read(tmp_path: Path, size: tuple[int, int]) -> None:
    assert read_image(saved(tmp_path / "a.png", Image.new("RGB", size))).shape == (size[1], size[0], 3)


def test_files_that_are_no_picture_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="There is no image"):
        read_image(tmp_path / "gone.png")
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="a.png cannot be read as an image"):
        read_image(tmp_path / "a.png")
    whole = saved(tmp_path / "b.png", Image.fromarray(np.random.randint(0, 255, (64, 64, 3), np.uint8)))
    whole.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(InputError, match="b.png cannot be read as an image"):
        read_image(whole)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(InputError, match="c.png has too many pixels"):
        read_image(saved(tmp_path / "c.png", Image.new("RGB", (10, 10))))


def test_a_contact_sheet_shows_first_and_last_frame() -> None:
    frames = np.stack([np.full((10, 20, 3), i, np.uint8) for i in range(100)])
    sheet = contact_sheet(frames, count=6, columns=3, gap=2)
    assert sheet.shape == (2 * 12 + 2, 3 * 22 + 2, 3)
    assert sheet[5, 5, 0] == 0 and sheet[-5, -5, 0] == 99
    shown = [sheet[5 + 12 * r, 5 + 22 * c, 0] for r in range(2) for c in range(3)]
    assert shown == sorted(shown) and len(set(shown)) == 6
    assert (sheet[0] == 255).all()


def test_a_sheet_of_a_short_clip_is_no_wider_than_the_clip(tmp_path: Path) -> None:
    sheet = contact_sheet(np.zeros((3, 8, 8, 3), np.uint8), count=16, columns=8)
    assert sheet.shape == (12, 32, 3)
    write_png(tmp_path / "deep" / "sheet.png", sheet)
    assert read_image(tmp_path / "deep" / "sheet.png").shape == (12, 32, 3)


@pytest.mark.parametrize(("frames", "count", "columns"), [(0, 4, 4), (4, 0, 4), (4, 4, 0)])
def test_senseless_sheets_are_refused(frames: int, count: int, columns: int) -> None:
    with pytest.raises(InputError):
        contact_sheet(np.zeros((frames, 4, 4, 3), np.uint8), count, columns)
