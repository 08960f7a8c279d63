"""AUDIO as other packs send it: the same samples whatever holds them, or a sentence that names the input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eadnet.errors import InputError
from eadnet.media.recording import HIGHEST_RATE, recording_of

# Values that every type below holds exactly.
SAMPLES = torch.tensor([[0.0, 0.5, -0.5, 0.25, -1.0, 0.75], [0.5, 0.0, -0.25, -0.75, 0.25, -0.5]])


def audio(waveform: Any, rate: Any = 44100, **extra: Any) -> dict[str, Any]:
    return {"waveform": waveform, "sample_rate": rate, **extra}


class Lazy(Mapping[str, Any]):
    """Reads its file only when a value is asked for."""

    def __init__(self, load: Callable[[], dict[str, Any]]) -> None:
        self.load = load

    def __getitem__(self, key: str) -> Any:
        return self.load()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.load())

    def __len__(self) -> int:
        return len(self.load())


RATES: list[Any] = [
    44100, 44100.0, "44100", " 44100 ", np.int64(44100), np.float32(44100), np.array(44100),
    np.array([44100]), torch.tensor(44100), torch.tensor([44100.0]), Fraction(44100),
]  # fmt: skip


@pytest.mark.parametrize("rate", RATES, ids=repr)
def test_a_rate_is_a_whole_number_whatever_it_comes_as(rate: Any) -> None:
    made = recording_of(audio(SAMPLES, rate))
    assert made.rate == 44100 and type(made.rate) is int and made.notes == ()


@pytest.mark.parametrize(
    "rate",
    [0, -1, float("nan"), float("inf"), 10**400, 1_073_757_824, 1e9, 3, True, None, "fast", [1, 2], {},
     torch.tensor([1, 2]), torch.empty(0), HIGHEST_RATE + 1],
    ids=str,
)  # fmt: skip
def test_what_is_no_rate_is_refused_by_name(rate: Any) -> None:
    with pytest.raises(InputError, match=r"sample_rate of the speech is .*: it must be a number of samples"):
        recording_of(audio(SAMPLES, rate), "the speech")


def test_a_rate_between_whole_numbers_is_rounded_and_said() -> None:
    made = recording_of(audio(SAMPLES, 47952.048))
    assert made.rate == 47952 and "47952 was used" in made.notes[0]


HOLDERS: dict[str, Callable[[torch.Tensor], Any]] = {
    "a batch of one": lambda x: x[None],
    "channels and samples": lambda x: x,
    "more axes of one": lambda x: x[None, None],
    "with a gradient": lambda x: x.clone().requires_grad_(),
    "not contiguous": lambda x: x.T.contiguous().T,
    "half precision": lambda x: x.half(),
    "bfloat16": lambda x: x.bfloat16(),
    "double precision": lambda x: x.double(),
    "8-bit floats": lambda x: x.to(torch.float8_e4m3fn),
    "sparse": lambda x: x.to_sparse(),
    "NumPy": lambda x: x.numpy(),
    "NumPy backwards": lambda x: x.numpy()[:, ::-1].copy()[:, ::-1],
    "NumPy of the other byte order": lambda x: x.numpy().astype(">f4"),
    "lists": lambda x: x.tolist(),
    "16 bits": lambda x: (x * 32768).clamp(-32768, 32767).to(torch.int16),
    "32 bits": lambda x: (x.double() * 2**31).clamp(-(2**31), 2**31 - 1).to(torch.int32),
    "unsigned bytes": lambda x: (x * 128 + 128).clamp(0, 255).to(torch.uint8),
    "signed bytes": lambda x: (x * 128).to(torch.int8),
    "unsigned 16 bits": lambda x: (x.numpy() * 32768 + 32768).clip(0, 65535).astype(np.uint16),
    "numbers of Python's in an array": lambda x: x.numpy().astype(object),
    "C's longest": lambda x: x.numpy().astype(np.longdouble),
    "half precision of NumPy's": lambda x: x.numpy().astype(np.float16),
    "an array that cannot be written": lambda x: np.frombuffer(x.numpy(), np.float32).reshape(2, 6),
    "16 bits of the other byte order": lambda x: (x.numpy() * 32768).clip(-32768, 32767).astype(">i2"),
    "an inference tensor": lambda x: torch.inference_mode()(x.clone)(),
    "a negative view": lambda x: torch._neg_view(-x),
    "tensors in a list": list,
    "one channel behind another": lambda x: tuple(map(tuple, x.tolist())),
    "a masked array": lambda x: np.ma.array(x.numpy()),
    "whole numbers of Python": lambda x: [[round(v * 32768) for v in row] for row in x.tolist()],
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_the_samples_are_the_same_whatever_holds_them(holder: str) -> None:
    made = recording_of(audio(HOLDERS[holder](SAMPLES), path="speech.wav"))
    assert made.waveform.dtype == torch.float32 and made.waveform.is_contiguous()
    assert not made.waveform.requires_grad and made.notes == ()
    assert torch.allclose(made.waveform, SAMPLES, atol=1e-9)


def test_one_axis_is_one_channel() -> None:
    assert recording_of(audio(SAMPLES[0])).waveform.shape == (1, 6)


def test_a_mapping_may_load_when_it_is_asked() -> None:
    assert torch.equal(recording_of(Lazy(lambda: audio(SAMPLES))).waveform, SAMPLES)


def test_a_mapping_that_fails_to_load_says_so_by_name() -> None:
    def fail() -> dict[str, Any]:
        raise RuntimeError("ffmpeg is missing")

    with pytest.raises(InputError, match=r"AUDIO at speech cannot be read \(ffmpeg is missing\)"):
        recording_of(Lazy(fail), "speech")


@given(bits=st.sampled_from([16, 32]), peak=st.floats(0.01, 1.0))
def test_floats_in_the_range_of_integers_are_scaled_and_said(bits: int, peak: float) -> None:
    wanted = SAMPLES * peak
    made = recording_of(audio(wanted * 2.0 ** (bits - 1)))
    assert "was taken for" in made.notes[0]
    if bits == 16 or peak * 2**31 > 2**16:
        assert torch.allclose(made.waveform, wanted, rtol=1e-5)


def test_sound_above_full_scale_stays_and_is_said() -> None:
    made = recording_of(audio(2 * SAMPLES))
    assert torch.equal(made.waveform, 2 * SAMPLES) and "6.0 dB louder than full scale" in made.notes[0]


def test_samples_by_channels_are_turned() -> None:
    made = recording_of(audio(SAMPLES.repeat(1, 3).T.contiguous()))
    assert made.waveform.shape == (2, 18) and "samples by channels" in made.notes[0]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "speech input is empty: connect it"),
        (SAMPLES, "speech input is a Tensor and no AUDIO"),
        (5, "speech input is a int and no AUDIO"),
        ({"samples": SAMPLES}, "AUDIO without 'waveform'"),
        ({"waveform": SAMPLES}, "AUDIO without 'sample_rate'"),
        (audio(torch.zeros(1, 1, 0)), "no samples"),
        (audio(torch.zeros(1, 0, 9)), "no samples"),
        (audio(torch.zeros(0, 1, 9)), "no samples"),
        (audio([]), "no samples"),
        (audio(torch.full((1, 9), torch.nan)), "waveform of speech contains NaN"),
        (audio(torch.tensor([[0.0, torch.inf]])), "waveform of speech contains NaN"),
        (audio(torch.tensor([1e300, 0], dtype=torch.float64)), "goes up to 1e"),
        (audio(torch.zeros(3, 1, 99)), "batch of 3 clips"),
        (audio(torch.zeros(99, 99)), "99 channels"),
        (audio(torch.zeros(1, 9, dtype=torch.complex64)), "no samples"),
        (audio(torch.zeros(1, 9, dtype=torch.bool)), "no samples"),
        (audio([[1, 2], [3]]), "no array of samples"),
        (audio("speech.wav"), "no array of samples"),
        (audio(None), "no array of samples"),
        (audio(torch.zeros(1, 1, 9, device="meta")), "no array of samples"),
        (audio(torch.nested.nested_tensor([torch.zeros(3), torch.zeros(4)])), "no array of samples"),
        pytest.param(audio(iter([1.0])), "no array of samples", id="an iterator"),
        (audio(b"abc"), "no array of samples"),
        (audio(np.zeros(9, "M8[s]")), "no array of samples"),
        (audio(np.zeros(9, [("a", "f4")])), "no array of samples"),
        (audio([[10**400, 1]]), "no array of samples"),
    ],
)
def test_what_is_no_recording_is_one_sentence_with_the_inputs_name(value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        recording_of(value, "speech", "connect it")
    assert "speech" in str(caught.value)
