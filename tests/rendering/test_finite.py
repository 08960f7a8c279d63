"""No result that is not finite becomes a film: the part that gave it is named, and a VAE in half precision
gets another chance in float32.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from eadnet.errors import InputError
from eadnet.media.places import Named
from eadnet.media.reader import VideoReader
from eadnet.media.resumable_video import GROUP
from eadnet.metrics.sync import sweep
from eadnet.rendering import (
    Coder,
    FiniteVAE,
    Model,
    RenderSettings,
    load_model,
    render_frames,
    render_to_file,
    scene_in_memory,
)
from eadnet.rendering.film import Film, write_film
from eadnet.rendering.unfinished import FOLDER
from tests.quick import some
from tests.tiny import RESOLUTION, write_tiny_checkpoint

SOUND = 0.1 * torch.randn(8000, generator=torch.Generator().manual_seed(0))
PICTURE = np.random.default_rng(0).integers(0, 256, (RESOLUTION, RESOLUTION, 3), np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


def broken(model: Model, path: str, value: float = torch.nan) -> Model:
    """The model with one weight that is no number; ``path`` is of a parameter, from the model's part on."""
    part, _, name = path.partition(".")
    module = copy.deepcopy(getattr(model, part))
    with torch.no_grad():
        parameter = module.get_parameter(name)
        parameter[(0,) * parameter.ndim] = value
    return replace(model, **{part: module})


def rendered(model: Model, emotion: str = "happy", **changes: Any) -> list[np.ndarray]:
    settings = RenderSettings(steps=1, window=8, overlap=2)
    scene = scene_in_memory(model, PICTURE, SOUND, emotion, settings=settings)
    return list(render_frames(model.networks(), scene, settings.sampling(model.checkpoint), **changes))


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("vae.encoder.1.weight", "VAE encoder"),
        ("vae.decoder.0.weight", "VAE decoder"),
        ("unet.conv_in.weight", "U-Net"),
        ("tfrm.out.weight", "TFRM"),
        ("text_encoder.positions", "text encoder"),
    ],
)
@pytest.mark.parametrize("value", some(1, [torch.nan, torch.inf]))
def test_the_part_that_failed_is_named(model: Model, path: str, named: str, value: float) -> None:
    with pytest.raises(InputError, match=f"The {named}'s result is not finite.*: "):
        rendered(broken(model, path, value))


def test_so_is_the_audio_encoder(model: Model) -> None:
    name = next(name for name, _ in model.audio_encoder.named_parameters())
    with pytest.raises(InputError, match="The audio encoder's result is not finite"):
        rendered(broken(model, f"audio_encoder.{name}"))
    with pytest.raises(InputError, match="The audio encoder's result is not finite"):
        broken(model, f"audio_encoder.{name}").audio_encoder.encode_speech(SOUND, 25, 10)


def test_no_film_is_left(model: Model, tmp_path: Path) -> None:
    settings = RenderSettings(steps=1, window=8, overlap=2)
    bad = broken(model, "vae.decoder.0.weight")
    scene = scene_in_memory(bad, PICTURE, SOUND, settings=settings)
    with pytest.raises(InputError, match="VAE decoder"):
        render_to_file(tmp_path / "film.mp4", bad.networks(), scene, settings.sampling(bad.checkpoint))
    assert not list(tmp_path.iterdir())


def test_a_syncnet_that_gives_no_numbers_is_named() -> None:
    rows = torch.randn(40, 8)
    for video, audio in ((rows, rows.clone().fill_(torch.nan)), (rows.clone().fill_(torch.inf), rows)):
        with pytest.raises(InputError, match="SyncNet"):
            sweep(video, audio)


class Overflowing:
    """A VAE that gives NaN in half precision from the ``fails``-th call on; counts its calls."""

    def __init__(self, fails: int) -> None:
        self.fails, self.calls, self.wide, self.made = fails, 0, 0, 0

    def half(self, values: Tensor) -> Tensor:
        self.calls += 1
        return values + (torch.nan if self.calls >= self.fails else 0)

    def single(self, values: Tensor) -> Tensor:
        self.wide += 1
        return values

    def in_float32(self) -> Coder:
        self.made += 1
        return Coder(self.single, self.single)


def test_half_precision_that_overflows_is_repeated_in_float32_and_stays_there() -> None:
    network = Overflowing(fails=3)
    said: list[str] = []
    vae = FiniteVAE(Coder(network.half, network.half), network.in_float32, said.append)
    pieces = [torch.full((2, 3), float(k)) for k in range(6)]
    assert all(torch.equal(vae.decode(piece), piece) for piece in pieces)
    assert (network.calls, network.wide, network.made) == (3, 4, 1), "the piece, and all after it"
    assert torch.equal(vae.encode(pieces[0]), pieces[0]) and network.calls == 3, "both ways"
    assert len(said) == 1 and "float32" in said[0]


def test_an_unfinished_film_goes_on_in_float32_where_it_had_gone_over(tmp_path: Path) -> None:
    """Half precision gives dark frames and fails at the fifth; float32 gives bright ones."""
    count, side = 2 * GROUP + 5, 32
    film = Film("0" * 16, count, Fraction(25), (side, side), None, None, 16)

    def made(name: str, fails: int, stop: int = count, resume: bool = True) -> list[float]:
        calls = iter(range(count))
        half = Coder(lambda x: x, lambda x: x + (torch.nan if next(calls) == fails else 60.0))
        vae = FiniteVAE(half, lambda: Coder(lambda x: x, lambda x: x + 200.0), lambda _: None)

        def frames(first: int, window: int) -> Iterator[np.ndarray]:
            for number in range(first, count):
                if number == stop:
                    raise InterruptedError
                yield vae.decode(torch.zeros(side, side, 3)).numpy().astype(np.uint8)

        made = write_film(Named(tmp_path / name), film, frames, 8, 4, resume=resume, vae=vae)
        with VideoReader(made.path) as reader:
            return [float(reader.picture(number).mean()) for number in range(count)]

    whole = made("whole.mp4", fails=5)
    assert whole[4] < 70 and min(whole[5:]) > 190
    with pytest.raises(InterruptedError):
        made("cut.mp4", fails=5, stop=GROUP + 3)
    assert made("cut.mp4", fails=-1) == whole, "though half precision would do from here on"
    assert not (tmp_path / FOLDER).exists()
    with pytest.raises(InterruptedError):
        made("cut.mp4", fails=5, stop=GROUP + 3)
    assert max(made("cut.mp4", fails=-1, resume=False)) < 70, "begun anew, it has forgotten that"


def test_what_float32_cannot_mend_is_an_error_and_no_loop() -> None:
    made = []

    def in_float32() -> Coder:
        made.append(1)
        return Coder(lambda x: x * torch.nan, lambda x: x * torch.nan)

    vae = FiniteVAE(Coder(lambda x: x * torch.inf, lambda x: x * torch.inf), in_float32, lambda _: None)
    for _ in range(2):
        with pytest.raises(InputError, match="VAE decoder"):
            vae.decode(torch.ones(1))
    assert len(made) == 1


def test_bad_latents_are_not_blamed_on_the_vae() -> None:
    vae = FiniteVAE(Coder(lambda x: x, lambda x: x))
    with pytest.raises(InputError, match="latents that the VAE is to decode"):
        vae.decode(torch.tensor([torch.nan]))


def test_a_vae_that_overflows_float16_makes_the_film_of_float32(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    """The weights are exact in both; only what is between them is too large for half precision."""
    vae = copy.deepcopy(model.vae).half().float()
    with torch.no_grad():
        vae.decoder[0].weight.mul_(1024)
        vae.decoder[0].bias.mul_(1024)
        for block in vae.decoder[1:]:
            if hasattr(block, "conv1"):
                block.conv2.weight.mul_(64)
        vae.half().float()
    expected = rendered(replace(model, vae=vae))
    half = replace(model, vae=copy.deepcopy(vae).half())
    with caplog.at_level(logging.WARNING):
        frames = rendered(half)
    assert caplog.text.count("computed in float32") == 1
    assert len(frames) == len(expected)
    apart = np.abs(np.stack(frames).astype(int) - np.stack(expected)).max()
    assert apart <= 40, "the encoder was in half precision before"
    assert next(half.vae.parameters()).dtype == torch.float16, "the user's network is left as it was"
