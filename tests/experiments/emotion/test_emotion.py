"""The measure of emotion, on models whose answer is known: one that follows every text, and one that ignores
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from eadnet.dataset_format import FPS
from eadnet.rendering import RenderSettings, load_model
from eadnet.synthetic.captions import Description
from eadnet.synthetic.datasets import LAYOUT
from eadnet.synthetic.expression import EMOTIONS, INDEX
from eadnet.training.data.clips import labels_of
from experiments.clip_renderer import ClipRenderer
from experiments.emotion import command, control, following
from experiments.emotion.evaluator import READ, Evaluator, Section, vector
from experiments.readings import OPENING
from tests.tiny import RESOLUTION, write_tiny_checkpoint

FRAMES = 40
SPOKEN: list[Description] = [d for texts in command.descriptions(8).values() for d in texts]
MEANING: dict[str, dict[str, float]] = {
    **{description.text: description.parameters for description in SPOKEN},
    **{text: {name: 0.9 for name in targets} for text, targets in following.FEATURES.items()},
    **{f"very {emotion}": face for emotion, face in EMOTIONS.items()},
    "furious, brows pulled down, lips pressed": EMOTIONS["angry"],
    "calm": {},
    "": {},
}


class Clips:
    """Four people with true openings of the mouth."""

    openings = np.random.default_rng(0).random((4, FRAMES)).astype(np.float32)
    params, layout = np.zeros((4, FRAMES, len(LAYOUT.names)), np.float32), LAYOUT
    texts = ({"text": "very happy"},) * 4

    def __len__(self) -> int:
        return len(self.openings)


class Following(Evaluator):
    """Tokens are the face itself, and the face on the screen is `share` times the tokens."""

    share, late, noise, mumbling = 1.0, 0, 0.0, 0.0

    def __init__(self, **settings: float) -> None:
        clips: Any = Clips()
        super().__init__(renderer=None, regressor=None, clips=clips)  # type: ignore[arg-type]
        for name, value in settings.items():
            object.__setattr__(self, name, value)

    def tokens(self, text: str) -> Tensor:
        return torch.from_numpy(vector(MEANING[text]))[None].float()

    def read(self, person: int, tokens: Tensor, frames: int) -> dict[str, Tensor]:
        shown = self.share * (tokens if tokens.ndim == 3 else tokens.expand(frames, 1, -1))[:, 0]
        shown = torch.cat([shown[:1].expand(int(self.late), -1), shown])[:frames]
        shown = shown + self.noise * torch.randn(
            shown.shape, generator=torch.Generator().manual_seed(person + int(1e3 * tokens.abs().sum()))
        )
        reading = {name: shown[:, i] for i, name in enumerate(READ)}
        opening = torch.from_numpy(labels_of(self.clips).openings[person][:frames])
        blur = self.mumbling * float(tokens.abs().sum() > 0)
        return {**reading, OPENING: (1 - blur) * opening + blur * opening.roll(7)}

    def truth(self, person: int, params: Sequence[np.ndarray]) -> dict[str, Tensor]:
        return {name: torch.tensor([float(p[INDEX[name]]) for p in params]) for name in READ}


def met(section: Section) -> list[bool]:
    return [met for _, _, met in section.criteria]


def follow(evaluator: Evaluator) -> Section:
    return following.following(evaluator, "Words", SPOKEN[:8], 4)


def test_a_face_that_shows_the_text_follows() -> None:
    section = follow(Following())
    assert met(section) == [True]
    assert "| all | 1.00 |" in "\n".join(section.lines)
    assert "median 1.00" in "\n".join(section.lines)


@pytest.mark.parametrize("settings", [{"share": 0.0}, {"share": 0.0, "noise": 0.3}])
def test_a_face_that_ignores_the_text_does_not(settings: dict[str, float]) -> None:
    assert met(follow(Following(**settings))) == [False]


def test_a_face_that_does_the_average_of_all_texts_scores_nothing() -> None:
    class Average(Following):
        def tokens(self, text: str) -> Tensor:
            mean = np.mean([vector(d.parameters) for d in SPOKEN[:8]], axis=0)
            return torch.from_numpy(mean * bool(text))[None].float()

    assert met(follow(Average())) == [False]


def test_single_features_tell_the_target_from_the_others() -> None:
    section = following.single_features(Following(), [0, 1], 4)
    assert met(section) == [True, True]
    assert "| eyes narrowed | +0.90 | +0.00 |" in "\n".join(section.lines)
    assert met(following.single_features(Following(share=0.4), [0], 4)) == [False, True]
    assert met(following.single_features(Following(share=0.0), [0], 4)) == [False, False]


def test_single_features_start_from_the_calm_face_and_say_what_the_empty_text_shows() -> None:
    class Smiling(Following):
        def tokens(self, text: str) -> Tensor:
            smile = vector({"smile_l": 0.5}) if text == "" else vector(MEANING[text])
            return torch.from_numpy(smile)[None].float()

    section = following.single_features(Smiling(), [0], 4)
    assert met(section) == [True, True]
    page = "\n".join(section.lines)
    assert "smile_l +0.50" in page
    assert "2 of 8 leave the others alone" in page


def test_single_features_notice_a_face_that_moves_all_at_once() -> None:
    class Whole(Following):
        def tokens(self, text: str) -> Tensor:
            return torch.full((1, len(READ)), 0.9 if text in following.FEATURES else 0.0)

    assert met(following.single_features(Whole(), [0], 4)) == [True, False]


def test_strength_must_grow_at_every_step() -> None:
    assert met(control.strengths(Following(), [0], 4)) == [True, True]
    assert met(control.strengths(Following(share=0.0), [0], 4)) == [False, False]


@pytest.mark.parametrize(("late", "in_time"), [(0, True), (3, True), (6, False)])
def test_a_late_change_is_found_late(late: int, in_time: bool) -> None:
    assert met(control.timeline(Following(late=late), [0], FRAMES)) == [in_time, True]


def test_a_face_that_jumps_is_rough() -> None:
    section = control.timeline(Following(noise=0.5), [0, 1], FRAMES)
    assert met(section)[1] is False


def test_no_change_at_all_is_not_in_time() -> None:
    assert met(control.timeline(Following(share=0.0), [0], FRAMES))[0] is False


def test_emotion_that_costs_lip_sync_is_noticed() -> None:
    assert met(control.lip_sync(Following(), [0, 1, 2])) == [True]
    assert met(control.lip_sync(Following(mumbling=0.5), [0, 1, 2])) == [False]


def test_the_change_of_a_curve() -> None:
    curve = np.r_[np.zeros(25), np.ones(15)]
    change = control.Change.of(curve, 25)
    assert (change.before, change.after, change.step) == (0, 1, 1) and abs(change.frame - 25) <= 1
    assert abs(control.Change.of(curve[::-1], 15).frame - 15) <= 1


def test_the_words_are_held_out() -> None:
    from eadnet.synthetic import lexicon

    texts = command.descriptions(12)["Words that no training text uses"]
    assert len(texts) == 12
    assert all(any(word.parameters == d.parameters for word in lexicon.unseen()) for d in texts)


def test_the_page_begins_with_the_criteria_and_grows_part_by_part(tmp_path: Path) -> None:
    class Interrupted(Following):
        def read(self, person: int, tokens: Tensor, frames: int) -> dict[str, Tensor]:
            if frames > FPS:  # the timeline
                raise KeyboardInterrupt
            return super().read(person, tokens, frames)

    out = tmp_path / "emotion.md"
    with pytest.raises(KeyboardInterrupt):
        command.measure(Interrupted(), 4, 3, "A head.", out)
    page = out.read_text("utf-8")
    assert "## Strength" in page and "## A timeline" not in page
    command.measure(Following(), 4, 3, "A head.", out)
    page = out.read_text("utf-8")
    assert page.index("## Acceptance criteria") < page.index("## Words and phrasings")
    assert "| no |" not in page and page.count("| yes |") >= 9


@pytest.mark.slow
def test_a_real_model_takes_tokens_for_the_clip_and_for_every_frame(tmp_path: Path) -> None:
    model = load_model(write_tiny_checkpoint(tmp_path / "tiny.safetensors"))
    rng = np.random.default_rng(1)
    speech = torch.from_numpy(rng.uniform(-0.1, 0.1, 16000)).float()
    clips: Any = SimpleNamespace(
        references=rng.integers(0, 255, (1, 2, RESOLUTION, RESOLUTION, 3), dtype=np.uint8),
        waveform=lambda row: speech,
    )
    regressor: Any = SimpleNamespace(
        read=lambda pictures, portrait: {name: (pictures - portrait).mean((1, 2, 3)) for name in READ}
    )
    settings = RenderSettings(steps=1, audio_guidance=1.5, emotion_guidance=3.0, silence_gate=False)
    evaluator = Evaluator(ClipRenderer(model, settings), regressor, clips)
    furious, null = evaluator.tokens("furious"), evaluator.tokens("")
    steady = evaluator.read(0, furious, 6)[READ[0]]
    assert steady.shape == (6,)
    np.testing.assert_allclose(evaluator.without_text(0, 6), evaluator.face(0, null, 6))
    changing = torch.stack([null] * 3 + [furious] * 3)
    curve = evaluator.read(0, changing, 6)[READ[0]]
    assert curve.shape == (6,) and not torch.allclose(curve, steady)
    torch.testing.assert_close(evaluator.read(0, furious.expand(6, -1, -1), 6)[READ[0]], steady)


def test_true_renders_are_of_the_clips_own_person() -> None:
    pytest.importorskip("cv2", reason="rendering needs the 'synthetic' extra (opencv-python-headless)")
    pytest.importorskip("espeakng_loader", reason="speech needs the 'synthetic' extra (espeakng-loader)")
    from eadnet.synthetic.clips import make_clip
    from eadnet.synthetic.renderer import Renderer

    seen: list[Tensor] = []

    def read(pictures: Tensor, portrait: Tensor) -> dict[str, Tensor]:
        seen.append(pictures)
        return {}

    regressor: Any = SimpleNamespace(read=read)
    clips: Any = SimpleNamespace(references=np.zeros((3, 2, 32, 32, 3), np.uint8))
    evaluator = Evaluator(None, regressor, clips)  # type: ignore[arg-type]
    face = np.zeros(len(INDEX), np.float32)
    evaluator.truth(2, [face])
    own = Renderer(make_clip(2, "test", 2).identity, size=32).render(face).image
    np.testing.assert_allclose((seen[0][0].permute(1, 2, 0).numpy() + 1) * 127.5, own, atol=0.01)
