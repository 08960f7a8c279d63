"""mini's SyncNet: what its windows see and hear, and that a clip in pieces is the same clip."""

from __future__ import annotations

import pytest
import torch

from eadnet.checkpoints import bundled_mini, load_checkpoint, read_info, save_checkpoint
from eadnet.errors import InputError
from eadnet.metrics.sync import measure_sync
from eadnet.modules.mini_audio import speech_log_mel
from eadnet.modules.mini_syncnet import MELS_PER_WINDOW, MOUTH, MiniSyncNet, mouth_of


@pytest.fixture(scope="module")
def network() -> MiniSyncNet:
    torch.manual_seed(0)
    return MiniSyncNet()


@pytest.fixture(scope="module")
def clip() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    return torch.rand(20, 3, 128, 128, generator=random), 0.1 * torch.randn(20 * 640, generator=random)


def test_one_unit_embedding_per_window_of_five_frames(network, clip):
    video, audio = network.embed(*clip)
    assert video.shape == audio.shape == (16, 128)
    for side in (video, audio):
        torch.testing.assert_close(side.norm(dim=1), torch.ones(16))


def test_it_is_small_enough_to_travel_with_the_pack(network):
    assert sum(p.numel() for p in network.parameters()) <= 1_500_000


@torch.no_grad()
def test_pieces_give_the_same_embeddings_as_the_whole(network, clip):
    for whole, pieces in zip(network.embed(*clip), network.embed(*clip, batch=3), strict=True):
        torch.testing.assert_close(whole, pieces, atol=1e-4, rtol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("batch", [3, 64])
def test_sound_heard_in_pieces_is_the_sound(network, clip, batch):
    frames, sound = clip
    sound = torch.cat([3.0 * sound, 0.01 * sound[:999]])  # a level of its own, and more sound than pictures
    whole = network.embed_audio(speech_log_mel(sound)[None, :, : 4 * len(frames)])[0]
    torch.testing.assert_close(network.embed(frames, sound, batch)[1], whole, atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_a_window_sees_its_five_frames_and_no_other(network, clip):
    frames, sound = clip
    changed = frames.clone()
    changed[9] = 1 - changed[9]
    moved = (network.embed(changed, sound)[0] - network.embed(frames, sound)[0]).abs().amax(1) > 1e-5
    assert moved.nonzero().flatten().tolist() == [5, 6, 7, 8, 9]


@torch.no_grad()
def test_a_window_hears_its_frames_and_70_ms_around_them(network):
    quiet = torch.zeros(1, 80, 80)
    loud = quiet.clone()
    loud[..., 40] = 1.0
    moved = (network.embed_audio(loud) - network.embed_audio(quiet))[0].abs().amax(1) > 1e-6
    heard = [i for i in range(16) if 4 * i - 7 <= 40 < 4 * i - 7 + MELS_PER_WINDOW]
    assert moved.nonzero().flatten().tolist() == heard


def test_only_the_mouth_is_seen_whatever_the_size(network):
    picture = torch.zeros(1, 3, 128, 128)
    top, left, height, width = MOUTH
    picture[:, :, top : top + height, left : left + width] = 1.0
    assert float(mouth_of(picture).min()) == 1.0
    larger = torch.nn.functional.interpolate(picture, scale_factor=2)
    torch.testing.assert_close(mouth_of(larger)[:, :, 2:-2, 2:-2], mouth_of(picture)[:, :, 2:-2, 2:-2])


def test_bytes_and_numbers_are_the_same_picture(network, clip):
    frames, sound = (clip[0] * 255).round(), clip[1]
    torch.testing.assert_close(
        network.embed(frames.byte(), sound)[0], network.embed(frames / 255, sound)[0], atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize(("frames", "samples"), [(4, 16000), (20, 4 * 640 + 639), (0, 0)])
def test_less_than_one_window_is_refused(network, frames, samples):
    with pytest.raises(InputError, match="5 frames"):
        network.embed(torch.zeros(frames, 3, 128, 128), torch.zeros(samples))


def test_it_survives_a_checkpoint(network, clip, tmp_path):
    path = tmp_path / "syncnet.safetensors"
    save_checkpoint(path, {"syncnet": network}, {"preset": "syncnet"}, dtype=None)
    loaded = load_checkpoint(path).component("syncnet")
    torch.testing.assert_close(loaded.embed(*clip)[0], network.embed(*clip)[0])


@pytest.mark.slow
@pytest.mark.skipif(
    "syncnet" not in read_info(bundled_mini())["components"],
    reason="the bundled mini.safetensors has no SyncNet yet",
)
def test_the_bundled_syncnet_finds_late_sound_on_a_clip_of_the_synthetic_world():
    from eadnet.media.audio import load_audio, to_mono_16k
    from eadnet.media.video import read_video

    path = bundled_mini().with_name("talking_late.mp4")
    network = load_checkpoint(bundled_mini(), only={"syncnet"}).component("syncnet")
    frames = torch.from_numpy(read_video(path).frames).movedim(-1, 1)
    measured = measure_sync(network, frames, to_mono_16k(*load_audio(path)), 25)
    assert measured.score.offset == -3 and measured.sure
