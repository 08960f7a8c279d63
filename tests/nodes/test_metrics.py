"""The nodes that score a result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

Run = Callable[..., tuple[Any, ...]]


class BrightnessSyncNet:
    """Sees the brightness of a frame and hears the loudness under it; nothing else."""

    name, crop, num_frames, silence_beyond_ends, confident = "brightness", "any", 1, False, 0.05

    def parameters(self) -> Any:
        return iter([torch.zeros(1)])

    def embed(self, frames: torch.Tensor, waveform: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        count = min(len(frames), len(waveform) // 640)
        seen = frames[:count].float().mean((1, 2, 3))
        heard = waveform[: 640 * count].reshape(count, 640).abs().amax(1)
        video, audio = (torch.stack([x / x.max(), torch.ones(count)], 1) for x in (seen, heard))
        return video, audio


class Socket:
    def use(self) -> BrightnessSyncNet:
        return BrightnessSyncNet()


PATTERN = torch.rand(50, generator=torch.Generator().manual_seed(4))


def pictures() -> torch.Tensor:
    return PATTERN[:, None, None, None].expand(50, 8, 12, 3).contiguous()


def sound(late: int = 0, rate: int = 16000, frames: int = 50) -> dict[str, Any]:
    """Two channels, one loudness per frame, `late` frames behind the pictures."""
    loud = torch.cat([torch.zeros(max(late, 0)), PATTERN])[max(-late, 0) :][:frames]
    return {"waveform": loud.repeat_interleave(rate // 25).expand(1, 2, -1).clone(), "sample_rate": rate}


@pytest.fixture
def score(nodes: Any, run: Run) -> Run:
    def call(**changes: Any) -> tuple[Any, ...]:
        inputs = {"syncnet": Socket(), "images": pictures(), "audio": sound(), "fps": 25.0}
        return run(nodes.EADNetSyncScore, **{**inputs, "min_confidence": 0.0, "theme": "dark", **changes})

    return call


@pytest.mark.parametrize("late", [-4, 0, 3])
def test_late_sound_has_a_negative_offset_and_is_moved_to_where_it_fits(score: Run, late: int) -> None:
    confidence, distance, offset, plot, report, fixed = score(audio=sound(late))
    assert offset == -late and confidence > 0.1 and distance < 0.01
    assert plot.shape == (1, 640, 960, 3) and 0 <= plot.min() and plot.max() <= 1
    assert "brightness" in report
    assert fixed["waveform"].shape == sound(late)["waveform"].shape
    assert score(audio=fixed)[2] == 0


def test_an_unsure_syncnet_moves_nothing(score: Run) -> None:
    late = sound(3)
    *_, report, fixed = score(audio=late, min_confidence=50.0)
    assert torch.equal(fixed["waveform"], late["waveform"]) and "not shifted" in report


def test_a_short_clip_moves_nothing_unless_a_confidence_is_given(score: Run) -> None:
    late = sound(3, frames=30)
    *_, report, fixed = score(audio=late)
    assert torch.equal(fixed["waveform"], late["waveform"]) and "too short to measure" in report
    *_, report, fixed = score(audio=late, min_confidence=0.01)
    assert not torch.equal(fixed["waveform"], late["waveform"]) and "shifted by -0.12 s" in report


def test_a_tracked_face_is_scored_and_must_be_of_these_frames(
    score: Run, submodule: Callable[[str], Any], input_error: type[Exception]
) -> None:
    track = submodule("eadnet.faces.face_track").FaceTrack(
        size=(8, 12),
        framing="portrait",
        resolution=128,
        matrices=torch.tensor([[16.0, 0, -8], [0, 16, 8]]).expand(50, -1, -1),
        valid=torch.ones(50, dtype=torch.bool),
        found=torch.ones(50, dtype=torch.bool),
        points=torch.rand(50, 5, 2),
        boxes=torch.tensor([2.0, 1, 9, 7]).expand(50, -1),
        scores=torch.ones(50),
    )
    tracked = submodule("nodes.types").TrackAndRegion(track, "mouth")
    assert score(audio=sound(2), track=tracked)[2] == -2
    with pytest.raises(input_error, match="12 x 8"):
        score(images=torch.rand(50, 10, 10, 3), track=tracked)


def test_different_lengths_and_rates_are_said(score: Run) -> None:
    assert "0.80 s were compared" in score(audio=sound(frames=20))[4]
    assert "were read at 25" in score(fps=30.0)[4]


def test_constant_pictures_give_numbers_and_a_warning(score: Run) -> None:
    confidence, distance, _, plot, report, _ = score(images=torch.full((50, 8, 8, 3), 0.5))
    assert all(torch.tensor([confidence, distance]).isfinite()) and plot.isfinite().all()
    assert "never change" in report


def test_silent_sound_is_refused(score: Run, input_error: type[Exception]) -> None:
    with pytest.raises(input_error, match="silent"):
        score(audio={"waveform": torch.zeros(1, 1, 16000), "sample_rate": 16000})


def test_a_checkpoint_without_a_syncnet_says_so(
    score: Run, loaded: Any, input_error: type[Exception]
) -> None:
    with pytest.raises(input_error, match="SyncNet"):
        score(syncnet=loaded.syncnet)


def test_a_file_with_a_syncnet_alone_can_be_loaded(
    nodes: Any, run: Run, score: Run, model_folder: Any, submodule: Callable[[str], Any]
) -> None:
    network = submodule("eadnet.modules.mini_syncnet").MiniSyncNet()
    path = model_folder / "syncnet.safetensors"
    submodule("eadnet.checkpoints").save_checkpoint(path, {"syncnet": network}, {"preset": "syncnet"})
    *_, syncnet = run(nodes.EADNetCheckpointLoader, checkpoint=path.name)
    assert "mini" in score(syncnet=syncnet)[4]


def test_equal_clips_are_equal_and_noise_is_worse(nodes: Any, run: Run) -> None:
    clip = torch.rand(4, 16, 24, 3, generator=torch.Generator().manual_seed(0))
    inputs = {"reference": clip, "fps": 25.0, "theme": "light"}
    report, plot, psnr, ssim = run(nodes.EADNetVideoMetrics, generated=clip, **inputs)
    assert psnr == 100 and ssim == pytest.approx(1) and plot.shape == (1, 640, 960, 3) and "PSNR" in report
    noisy = (clip + 0.1 * torch.randn(clip.shape)).clamp(0, 1)
    _, _, worse, less = run(nodes.EADNetVideoMetrics, generated=noisy, **inputs)
    assert worse < 25 and less < 0.99


def test_pictures_of_different_size_are_refused(nodes: Any, run: Run, input_error: type[Exception]) -> None:
    with pytest.raises(input_error, match="resize"):
        run(
            nodes.EADNetVideoMetrics,
            generated=torch.rand(2, 16, 16, 3),
            reference=torch.rand(2, 16, 24, 3),
            fps=25.0,
            theme="dark",
        )


@pytest.mark.parametrize("scorer", ["sync", "video"])
def test_cancel_ends_a_score_at_the_next_frames(nodes: Any, run: Run, score: Run, scorer: str) -> None:
    from comfy import model_management

    taken: list[int] = []

    class Pressing(BrightnessSyncNet):
        def embed(self, frames: Any, waveform: torch.Tensor) -> Any:
            model_management.interrupt_current_processing()
            taken.append(len(frames[:5]))

    class Holder(Socket):
        def use(self) -> Pressing:
            return Pressing()

    clip = torch.rand(40, 16, 24, 3)
    try:
        with pytest.raises(model_management.InterruptProcessingException):
            if scorer == "sync":
                score(syncnet=Holder())
            model_management.interrupt_current_processing()
            run(nodes.EADNetVideoMetrics, generated=clip, reference=clip, fps=25.0, theme="dark")
    finally:
        model_management.interrupt_current_processing(False)
    assert not taken
