"""What the denoiser reads from an encoded data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tests.training.tiny_world import FRAMES, latent_set, write_clips

WHO = torch.zeros(200, dtype=torch.long)


def test_without_a_generator_a_clip_has_its_own_speech(tmp_path: Path) -> None:
    folder = write_clips(tmp_path, 2)
    np.save(folder / "voices.npy", np.ones((2, 3, FRAMES * 640), np.int16))
    own = np.load(folder / "speech.npy")[:1]
    heard = latent_set(folder).waveforms(torch.tensor([0]))
    np.testing.assert_array_equal((heard * 32767).round().numpy(), own)


def test_with_a_generator_any_of_its_speakers_says_it(tmp_path: Path) -> None:
    folder = write_clips(tmp_path, 2)
    voices = np.zeros((2, 2, FRAMES * 640), np.int16)
    voices[0, 0], voices[0, 1], voices[1] = 111, 222, 999
    np.save(folder / "voices.npy", voices)
    heard = latent_set(folder).waveforms(WHO, torch.Generator().manual_seed(0))[:, :2] * 32767
    first = heard[:, 0].round().tolist()
    shares = [first.count(111) / 200, first.count(222) / 200]
    assert all(0.2 < share < 0.47 for share in shares) and 999 not in first


def test_clips_without_other_voices_are_heard_as_they_are(tmp_path: Path) -> None:
    data = latent_set(write_clips(tmp_path, 2))
    rows = torch.tensor([1, 0])
    torch.testing.assert_close(data.waveforms(rows, torch.Generator().manual_seed(0)), data.waveforms(rows))
