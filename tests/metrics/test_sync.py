"""The offset sweep behind LSE-D, LSE-C and AV offset."""

from __future__ import annotations

from fractions import Fraction

import pytest
import scipy
import torch
import torch.nn.functional as F

from eadnet.errors import InputError
from eadnet.media.clips import Frames
from eadnet.metrics import sync
from eadnet.metrics.sync import SyncReport, distances, frames_at_25, score, sweep
from tests.golden_weights import array, load_golden


@pytest.fixture(scope="module")
def embeddings() -> tuple[torch.Tensor, torch.Tensor]:
    video = array("syncnet-v2:sweep", 60, 1024)
    return video, video.roll(-3, 0) + 0.3 * array("syncnet-v2:noise", 60, 1024)


def test_every_number_equals_the_published_one(embeddings: tuple[torch.Tensor, torch.Tensor]) -> None:
    golden = load_golden("syncnet_v2.safetensors")
    result = sweep(*embeddings)
    torch.testing.assert_close(result.mean_distances, golden["sweep_mean_dists"], rtol=1e-5, atol=1e-5)
    assert result.offset == int(golden["sweep_offset"])
    assert result.distance == pytest.approx(float(golden["sweep_min_dist"]), rel=1e-5)
    assert result.confidence == pytest.approx(float(golden["sweep_conf"]), rel=1e-5)


def test_the_framewise_curve_is_median_filtered_over_nine_frames(
    embeddings: tuple[torch.Tensor, torch.Tensor],
) -> None:
    result = sweep(*embeddings)
    raw = result.mean_distances.median() - distances(*embeddings)[:, 15 - result.offset]
    torch.testing.assert_close(result.framewise, torch.from_numpy(scipy.signal.medfilt(raw.numpy(), 9)))


@pytest.mark.parametrize("silence", [True, False])
@pytest.mark.parametrize("together", [1, 7, 60])
def test_distances_in_pieces_are_those_of_the_whole(
    embeddings: tuple[torch.Tensor, torch.Tensor],
    monkeypatch: pytest.MonkeyPatch,
    together: int,
    silence: bool,
) -> None:
    whole = distances(*embeddings, silence_beyond_ends=silence)
    monkeypatch.setattr(sync, "_CHUNK", together)
    pieces = distances(*embeddings, silence_beyond_ends=silence)
    torch.testing.assert_close(pieces, whole, rtol=0, atol=0, equal_nan=True)
    assert whole.isnan().any() == (not silence)


@pytest.mark.parametrize("ahead", [-15, -4, 0, 7, 15])
def test_offset_is_positive_where_the_sound_runs_ahead(ahead: int) -> None:
    video = array("sweep", 80, 32)
    assert sweep(video, video.roll(-ahead, 0)).offset == ahead


def test_matched_clips_are_surer_than_unrelated_ones() -> None:
    video, other = array("one", 60, 32), array("other", 60, 32)
    assert sweep(video, video).confidence > 3 * sweep(video, other).confidence


def test_one_frame_is_no_error() -> None:
    result = sweep(torch.ones(1, 4), torch.ones(1, 4))
    assert result.offset == 0 and result.framewise.shape == (1,)


@pytest.mark.parametrize(
    ("video", "audio"),
    [
        (torch.zeros(0, 4), torch.zeros(0, 4)),
        (torch.zeros(3, 4), torch.zeros(4, 4)),
        (torch.zeros(3), torch.zeros(3)),
    ],
)
def test_embeddings_that_do_not_pair_are_refused(video: torch.Tensor, audio: torch.Tensor) -> None:
    with pytest.raises(InputError):
        sweep(video, audio)


def test_pictures_at_other_rates_are_taken_by_the_clock() -> None:
    assert frames_at_25(5, 25).tolist() == [0, 1, 2, 3, 4]
    assert frames_at_25(6, 50).tolist() == [0, 2, 4]
    assert frames_at_25(3, 12.5).tolist() == [0, 0, 1, 1, 2, 2]
    ntsc = frames_at_25(300, Fraction(30000, 1001))
    assert len(ntsc) == 251 and ntsc.max() == 299 and (ntsc.diff() >= 1).all()


@pytest.mark.parametrize("fps", [0, -25, float("nan"), float("inf")])
def test_impossible_rates_are_refused(fps: float) -> None:
    with pytest.raises(InputError):
        frames_at_25(10, fps)


def test_a_network_sees_25_pictures_per_second() -> None:
    class CountingNetwork:
        name, crop, num_frames, silence_beyond_ends, confident = "counting", "any", 1, True, 0.0

        def embed(self, frames: Frames, waveform: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            rows = frames[:].flatten(1)
            return rows, rows

    frames = torch.rand(50, 3, 2, 2)
    result = score(CountingNetwork(), frames, torch.zeros(16000), fps=50)
    assert result.framewise.shape == (25,) and result.offset == 0


def test_short_clips_are_never_sure() -> None:
    video = array("short", 60, 32)
    for frames, sure in ((60, True), (46, True), (45, False)):
        measured = SyncReport(sweep(video[:frames], video[:frames]), "any", 0.1, ())
        assert measured.sure is sure
    assert "too short to measure" in measured.text()


@pytest.mark.parametrize("side", [1, -1])
def test_the_last_offset_that_was_tried_is_never_sure_for_the_true_one_may_lie_beyond(side: int) -> None:
    video = F.avg_pool1d(array("edge", 128, 32).T, 9, 1).T
    for ahead, sure in ((14, True), (15, False), (17, False)):
        measured = SyncReport(sweep(video, video.roll(-side * ahead, 0)), "any", 0.1, ())
        assert measured.sure is sure
    beyond = sweep(video, video.roll(-side * 15, 0), silence_beyond_ends=False)
    way = "early" if side > 0 else "late"
    headline = SyncReport(beyond, "any", 0.1, ()).headline()
    assert beyond.at_edge and headline.startswith(f"The audio may be 15 frames {way} or more")
