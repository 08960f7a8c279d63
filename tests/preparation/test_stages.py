"""Each stage by itself: what it lets through, what it rejects, and what it says and measures then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from eadnet.captions.schema import Description
from eadnet.faces.bundled import bundled_face
from eadnet.faces.landmarker import LandmarkedFace
from eadnet.media.images import read_image
from eadnet.media.reader import PicturesInMemory
from eadnet.media.speech import SpeechInMemory
from eadnet.preparation import stages
from eadnet.preparation.clip import SAMPLES, At25, Clip, Rejection, Source
from eadnet.preparation.settings import Settings
from eadnet.preparation.shards import members
from eadnet.preparation.sync import FoundSync, NoSyncModel, SyncModel
from eadnet.preparation.tools import Tools
from eadnet.preparation.work import sample_of, through_stages
from eadnet.preparation.workplace import Workplace
from eadnet.rig.expression import PARAMETERS
from tests.in_comfy import ROOT

ASSETS = ROOT / "eadnet" / "assets"
FRAMES = 50


@cache
def portrait() -> np.ndarray:
    """The bundled portrait, half as large."""
    whole = read_image(ASSETS / "portrait.png").reshape(256, 2, 256, 2, -1)[..., :3]
    return (whole.mean((1, 3)) * 255).round().byte().numpy()


@cache
def face() -> LandmarkedFace:
    found = bundled_face((read_image(ASSETS / "portrait.png")[..., :3] * 255).round().byte().numpy())
    assert found is not None
    return replace(found, points=((found.points + 0.5) / 2 - 0.5).astype(np.float32))


def moved(face: LandmarkedFace, x: float = 0.0, size: float = 1.0) -> LandmarkedFace:
    points = face.points * np.float32(size)
    points[:, 0] += np.float32(x)
    return replace(face, points=points)


@dataclass
class Landmarker:
    """Sees in every picture the faces that ``at`` gives for its number, which its first pixel holds; they
    ``breathe`` by so many pixels from picture to picture.
    """

    at: Callable[[int], list[LandmarkedFace]]
    breathe: float = 0.1

    def detect(self, picture: np.ndarray) -> list[LandmarkedFace]:
        number = int(picture[0, 0, 0])
        return [moved(face, self.breathe * (number % 2)) for face in self.at(number)]

    def again(self, picture: np.ndarray, face: LandmarkedFace) -> LandmarkedFace | None:
        return next(iter(self.detect(picture)), None)


@dataclass
class Says:
    """A sync model with a result."""

    found: FoundSync
    name: str = "syncnet_v2"
    framing: str | None = "syncnet_v2"
    confident: float = 3.0

    def __call__(self, clip: Clip, waveform: Tensor) -> FoundSync:
        assert clip.sync_crops is not None and clip.sync_crops.shape == (FRAMES, 224, 224, 3)
        return self.found


def tools(
    at: Callable[[int], list[LandmarkedFace]] = lambda number: [face()],
    sync_model: SyncModel | None = None,
    captions: dict[str, Description] | None = None,
) -> Tools:
    landmarker: Any = Landmarker(at)
    return Tools(Settings(), landmarker, sync_model or NoSyncModel(), captions or {})


def speech(frames: int = 3 * FRAMES) -> Tensor:
    from eadnet.media.audio import load_audio, to_mono_16k

    return to_mono_16k(*load_audio(ASSETS / "speech.wav"))[: frames * SAMPLES]


def clip(waveform: Tensor | None = None, **more: Any) -> Clip:
    frames = np.broadcast_to(portrait(), (FRAMES, *portrait().shape)).copy()
    frames[:, 0, 0, 0] = np.arange(FRAMES)
    source = Source("anna-1", Path("anna.mp4"), "anna.mp4", "anna", "train", **more)
    pictures = At25(PicturesInMemory(frames, 25))
    sound = SpeechInMemory(speech() if waveform is None else waveform)
    return Clip("anna-1-00001", source, FRAMES, FRAMES, pictures, sound)


def why(outcome: Clip | Rejection, stage: str) -> str:
    assert isinstance(outcome, Rejection), "it was let through"
    assert outcome.stage == stage
    return outcome.reason


def passed(outcome: Clip | Rejection) -> Clip:
    assert isinstance(outcome, Clip), outcome
    return outcome


@pytest.mark.slow
def test_a_clip_that_is_good_goes_all_the_way() -> None:
    having = tools(sync_model=Says(FoundSync(-2, 7.5)))
    seconds: dict[str, float] = {}
    outcome, facts = through_stages(clip(), having, seconds)
    made = passed(outcome)
    assert made.crops is not None and made.crops.shape == (FRAMES, 256, 256, 3)
    assert made.tensors["parameters"].shape == (FRAMES, len(PARAMETERS)) and made.names == PARAMETERS
    assert made.tensors["landmarks"].shape == (FRAMES, 478, 3)
    assert facts["sync_offset_frames"] == -2 and facts["caption_source"] == "measured"
    assert set(seconds) == {name for name, _ in stages.STAGES}
    sample = sample_of(made, {"id": made.id, "frames": FRAMES, "split": "train"}, 256)
    files = members(sample)
    assert files == members(sample_of(made, {"id": made.id, "frames": FRAMES, "split": "train"}, 256))
    whole = sample.frames()
    assert np.abs(whole.astype(int) - made.crops).mean() < 3


@pytest.mark.slow
def test_crops_are_latentsyncs_and_landmarks_lie_in_them() -> None:
    from eadnet.faces.affine import crop_size, template
    from eadnet.faces.dense import face_from_mesh

    having = tools()
    made = passed(stages.one_face(clip(), having))
    made = passed(stages.parameters(passed(stages.aligned(made, having)), having))
    mesh = made.tensors["landmarks"][10, :, :2].float().numpy()
    brows = face_from_mesh(mesh).brows
    assert brows is not None
    width, height = crop_size()
    goal = template().numpy() * [256 / width, 256 / height]
    assert np.abs(brows - goal).max() < 12, "to what a face differs from the template"
    # The picture there is the portrait's, at the same points.
    assert made.crops is not None
    own = face().mesh.round().astype(int)
    theirs = mesh.round().astype(int).clip(0, 255)
    skin = np.abs(portrait()[own[:, 1], own[:, 0]].astype(int) - made.crops[10][theirs[:, 1], theirs[:, 0]])
    assert np.median(skin) < 12


def test_silence_and_what_is_no_speech_are_rejected() -> None:
    having = tools()
    assert "silent" in why(stages.heard(clip(torch.zeros(99999)), having), "sound")
    hum = 0.2 * torch.sin(torch.arange(99999) * 0.05)
    assert "nobody" in why(stages.heard(clip(hum), having), "sound")
    assert passed(stages.heard(clip(), having)).facts["spoken"] > 0.3


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (lambda number: [], "no face"),
        (lambda number: [face()] if number < 30 else [], "not found in 20 of 50"),
        (lambda number: [] if 10 <= number < 24 else [face()], "not found in 14 of 50"),
        (lambda number: [face(), moved(face(), 100, 0.7)], "several faces"),
    ],
)
def test_one_face_must_go_through(at: Callable[[int], list[LandmarkedFace]], words: str) -> None:
    assert words in why(stages.one_face(clip(), tools(at)), "face")


@pytest.mark.slow
@pytest.mark.parametrize(
    "at",
    [
        lambda number: [] if number in (7, 20) else [face()],
        lambda number: [face(), moved(face(), 150, 0.3)],
    ],
    ids=["lost for a moment", "a small one beside"],
)
def test_a_face_may_be_lost_for_a_moment_and_others_may_be_small(
    at: Callable[[int], list[LandmarkedFace]],
) -> None:
    having = tools(at)
    made = passed(stages.one_face(clip(), having))
    made = passed(stages.parameters(passed(stages.aligned(made, having)), having))
    assert bool(torch.isfinite(made.tensors["landmarks"]).all())
    assert bool(torch.isfinite(made.tensors["parameters"]).all())


def test_a_cut_between_pictures_that_are_alike_shows_in_the_face() -> None:
    taken = clip()
    frames = np.stack([taken.pictures.picture(n) for n in range(FRAMES)])
    frames[30:, 20:] = 255 - frames[30:, 20:]
    taken = replace(taken, pictures=At25(PicturesInMemory(frames, 25)))
    jumping = tools(lambda number: [moved(face(), 20 * (number >= 30))])
    reason = why(stages.one_face(taken, jumping), "face")
    assert "jumps after 1.20 s" in reason
    still = tools()
    passed(stages.one_face(taken, still))


def test_a_picture_that_stands_still_is_no_recording() -> None:
    def seen(still: range) -> Clip | Rejection:
        """A face that holds its breath in some frames."""

        def at(number: int) -> list[LandmarkedFace]:
            breath = 0.1 * (number % 2) if number not in still else 0.0
            return [moved(face(), breath)]

        landmarker: Any = Landmarker(at, breathe=0)
        return stages.one_face(clip(), replace(tools(), landmarker=landmarker))

    assert "stands still for 1.96 s" in why(seen(range(FRAMES)), "face")
    assert "stands still for 0.76 s" in why(seen(range(30, FRAMES)), "face")
    assert isinstance(seen(range(30, 42)), Clip)


def test_small_and_turned_faces_are_rejected_with_their_measure() -> None:
    small = replace(clip(), faces=(moved(face(), size=0.4), None))
    outcome = stages.large_enough(small, tools())
    assert "less than 96" in why(outcome, "size")
    assert isinstance(outcome, Rejection) and 20 < outcome.facts["face_px"] < 96
    angle = np.radians(60)
    turned = face().points @ np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]], np.float32
    )
    away = replace(clip(), faces=(LandmarkedFace(turned, 1.0, face().blendshapes),) * 3)
    assert "turned by up to 59" in why(stages.facing(away, tools()), "turned")
    assert passed(stages.facing(replace(away, faces=(face(),)), tools())).facts["yaw_deg"] < 15


def test_a_face_that_the_edge_cuts_off_is_rejected() -> None:
    having = tools(lambda number: [moved(face(), -100)])
    made = passed(stages.one_face(clip(), having))
    assert "edge" in why(stages.aligned(made, having), "edge")


@pytest.mark.slow
def test_blurred_crops_are_rejected() -> None:
    from scipy.ndimage import gaussian_filter

    having = tools()
    made = passed(stages.one_face(clip(), having))
    made = passed(stages.aligned(made, having))
    assert made.crops is not None
    sharp = passed(stages.sharp(made, having)).facts["sharpness"]
    soft = replace(made, crops=np.stack([gaussian_filter(crop, (4, 4, 0)) for crop in made.crops[:12]]))
    outcome = stages.sharp(soft, having)
    assert "blurred" in why(outcome, "sharpness")
    assert isinstance(outcome, Rejection) and outcome.facts["sharpness"] < sharp / 3


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (FoundSync(0, 2.9), "confidence 2.90, less than 3"),
        (FoundSync(-7, 9.0), "7 frames late, more than 6"),
        (FoundSync(9, 9.0), "9 frames early"),
        (FoundSync(0, float("nan")), "does not belong"),
    ],
)
def test_sound_that_is_not_the_lips_is_rejected(found: FoundSync, words: str) -> None:
    having = tools(sync_model=Says(found))
    ready = replace(clip(), sync_crops=np.zeros((FRAMES, 224, 224, 3), np.uint8))
    outcome = stages.in_step(ready, having)
    assert words in why(outcome, "sync")
    assert isinstance(outcome, Rejection) and outcome.facts["sync_judge"] == "syncnet_v2"


@pytest.mark.parametrize("offset", [-6, -1, 0, 3])
def test_sound_is_moved_to_the_lips_and_goes_on_beyond_the_segment(offset: int) -> None:
    """Late sound (negative) belongs to earlier pictures: it is taken from later in the file."""
    waveform = torch.arange(3 * FRAMES * SAMPLES, dtype=torch.float32)
    ready = replace(clip(waveform), sync_crops=np.zeros((FRAMES, 224, 224, 3), np.uint8))
    made = passed(stages.in_step(ready, tools(sync_model=Says(FoundSync(offset, 5.0)))))
    begin = (FRAMES - offset) * SAMPLES
    assert made.sound is not None
    assert np.array_equal(made.sound, waveform[begin : begin + FRAMES * SAMPLES].numpy())


def test_what_is_too_short_to_tell_is_taken_as_it_is_and_says_so() -> None:
    ready = replace(clip(), sync_crops=np.zeros((FRAMES, 224, 224, 3), np.uint8))
    made = passed(stages.in_step(ready, tools(sync_model=Says(FoundSync(9, 1.0, sure=False)))))
    assert made.facts["sync_judge"] == "syncnet_v2, too short to tell"
    assert made.facts["sync_offset_frames"] is None and made.sound is not None
    assert np.array_equal(made.sound, speech()[FRAMES * SAMPLES : 2 * FRAMES * SAMPLES].numpy())


def test_without_a_judge_the_manifest_says_so() -> None:
    made = passed(stages.in_step(clip(), tools()))
    assert made.facts["sync_judge"] == "none" and made.sound is not None


def test_captions_come_from_a_captioner_then_labels_then_the_face() -> None:
    labelled = replace(clip(emotion="fearful", level=1), faces=(face(),))
    made = passed(stages.captioned(labelled, tools()))
    assert (made.facts["emotion"], made.facts["caption_source"]) == ("fearful", "labels")
    assert made.facts["intensity"] == 0.4 and made.facts["caption"]
    known = tools(captions={"anna.mp4": Description("sad", caption="a tear on the left cheek")})
    assert passed(stages.captioned(labelled, known)).facts["caption"] == "a tear on the left cheek"
    plain = replace(clip(), faces=(face(), None))
    assert passed(stages.captioned(plain, tools())).facts["caption_source"] == "measured"


def test_a_fault_of_one_clip_is_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds: dict[str, float] = {}
    coincide = LandmarkedFace(np.full((478, 3), 5.0, np.float32), 1.0, face().blendshapes)
    monkeypatch.setattr(stages, "_eyes", lambda face: 99.0)
    having = tools(lambda number: [coincide])
    outcome, _ = through_stages(clip(), having, seconds)
    assert isinstance(outcome, Rejection) and outcome.reason


def test_a_workplace_forgets_rows_of_an_earlier_plan(tmp_path: Path) -> None:
    from eadnet.preparation.workplace import Plan

    film = tmp_path / "film.mp4"
    film.write_bytes(b"one")
    source, place = Source("a", film, "a", "a", "train"), Workplace(tmp_path / "set")
    place.write_plan(source, Plan((((0, 50), None), ((50, 9), Rejection("length", "short", {"x": 1})))), {})
    place.write_row(source, 0, {"id": "a"}, {"sharp": 1.0})
    plan = place.read_plan(source)
    assert plan is not None and plan.open_numbers() == [0]
    assert plan.segments[1][1] == Rejection("length", "short", {"x": 1})
    assert place.read_row(source, 0) == {"row": {"id": "a"}, "seconds": {"sharp": 1.0}}
    film.write_bytes(b"another")
    assert place.read_plan(source) is None
    place.write_plan(source, Plan(), {})
    assert place.read_row(source, 0) is None
