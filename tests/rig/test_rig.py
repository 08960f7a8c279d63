"""What a rig promises, on a drawn head whose points are known and on pictures of nothing."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from eadnet.errors import InputError
from eadnet.rig.emotions import emotion_parameters
from eadnet.rig.expression import EMOTIONS, INDEX, PARAMETERS, RANGES
from eadnet.rig.rig import Rig
from eadnet.rig.topology import LOWER_INNER, UPPER_INNER
from eadnet.rig.track import Track
from eadnet.rig.warp import stretch
from tests.quick import examples, some

from .drawn import drawn_head, noise_head, turned


def rows(**values: float) -> Tensor:
    """One frame of named parameters, [1, P]."""
    return Track.of({name: [value] for name, value in values.items()}).values


@lru_cache(maxsize=1)
def drawn_rig() -> Rig:
    return Rig.build(*drawn_head())


@pytest.fixture(scope="module")
def rig() -> Rig:
    return drawn_rig()


def anything(seed: int, frames: int) -> Tensor:
    """Parameters anywhere in their ranges, [frames, P]."""
    low, high = torch.from_numpy(RANGES).unbind(1)
    shares = torch.rand(frames, len(PARAMETERS), generator=torch.Generator().manual_seed(seed))
    return low + shares * (high - low)


@pytest.mark.parametrize("channels", some(1, [1, 3, 4]))
def test_zero_parameters_give_the_picture(channels: int) -> None:
    picture, mesh = noise_head(channels=channels)
    assert torch.equal(Rig.build(picture, mesh).frames(torch.zeros(2, len(PARAMETERS)))[1], picture)


@pytest.mark.slow
def test_what_lies_outside_of_the_moving_region_is_untouched() -> None:
    _, mesh = drawn_head()
    generator = torch.Generator().manual_seed(4)
    picture = torch.randint(0, 256, (700, 760, 4), generator=generator, dtype=torch.uint8)
    rig = Rig.build(picture, mesh * 0.6 + torch.tensor([260.0, 230.0, 0.0]))
    x0, y0, x1, y1 = rig.region
    assert 0 < x0 < x1 < 760 and 0 < y0 < y1 < 700, "the test is of a face amid more picture"
    outside = torch.ones(700, 760, dtype=torch.bool)
    outside[y0:y1, x0:x1] = False
    for frame in rig.frames(anything(1, 3)):
        assert torch.equal(frame[outside], picture[outside])
        assert not torch.equal(frame[~outside], picture[~outside])


@pytest.mark.slow
def test_alpha_stays_with_what_it_covers() -> None:
    picture, mesh = noise_head(channels=4)
    picture[..., 3] = 255
    picture[:40, :, 3] = 0
    frame = Rig.build(picture, mesh).frames(torch.from_numpy(np.stack([emotion_parameters("happy", 1.0)])))[0]
    edge = torch.zeros(picture.shape[:2], dtype=torch.bool)
    edge[36:44] = True
    assert torch.equal(frame[~edge][..., 3], picture[~edge][..., 3])


@pytest.mark.slow
def test_frames_do_not_depend_on_their_neighbours(rig: Rig) -> None:
    parameters = anything(2, 5)
    together = rig.frames(parameters)
    alone = torch.cat([rig.frames(row[None]) for row in parameters])
    assert int((together.int() - alone.int()).abs().max()) <= 1


@pytest.mark.parametrize("emotion", [name for name in EMOTIONS if name != "neutral"])
def test_an_emotion_moves_the_face_and_half_of_it_moves_it_less(rig: Rig, emotion: str) -> None:
    faces = torch.stack([emotion_parameters(emotion, share) for share in (0.0, 0.5, 1.0)])
    rest, half, full = rig.landmarks(faces)
    moved = [float((face - rest).norm(dim=1).max()) / rig.face.scale for face in (half, full)]
    assert 0.02 < moved[0] < moved[1] < 0.5


@pytest.mark.slow
@given(seed=st.integers(0, 10**6))
@examples(20)
def test_no_skin_folds_over_itself(seed: int) -> None:
    """The determinant of the Jacobian of both sheets is positive, whatever the parameters."""
    rig = drawn_rig()
    parameters = anything(seed, 8)
    faces = torch.stack([emotion_parameters(name, 1.0) for name in EMOTIONS])
    moved = rig.stage.moved(rig.amplitudes(torch.cat([parameters, faces])))
    for field in (moved.upper, moved.lower):
        assert float(stretch(field, rig.stage.sheets.steps).min()) > 0


def test_the_chin_that_is_raised_does_not_part_the_lips(rig: Rig) -> None:
    assert float(rig.gap(rows(chin_raise=1.0, frown=1.0))) <= float(rig.gap(rows(chin_raise=0.0))) + 0.004


def test_lips_close_over_an_open_jaw(rig: Rig) -> None:
    open_, closed = rows(jaw_open=0.7), rows(jaw_open=0.7, lip_close=1.0)
    assert float(rig.gap(open_)) > 0.2
    assert float(rig.gap(closed)) < 0.03 * float(rig.gap(open_))


@given(low=st.floats(0, 0.95), more=st.floats(0.03, 0.5), emotion=st.sampled_from(sorted(EMOTIONS)))
@examples(25)
def test_the_lips_part_as_the_jaw_drops(low: float, more: float, emotion: str) -> None:
    rig = drawn_rig()
    face = emotion_parameters(emotion, 0.75)
    faces = face.expand(2, -1).clone()
    faces[:, INDEX["jaw_open"]] = torch.tensor([low, min(1.0, low + more)])
    narrow, wide = rig.gap(faces)
    assert wide > narrow


def test_the_opening_that_is_painted_is_the_one_that_was_asked_for(rig: Rig) -> None:
    """Dark and teeth appear between the lips and nowhere else."""
    still, open_ = rig.frames(torch.cat([rows(jaw_open=0.0), rows(jaw_open=0.8)]))
    placed = rig.landmarks(rows(jaw_open=0.8))[0]
    x, y = ((placed[UPPER_INNER[5]] + placed[LOWER_INNER[5]]) / 2).round().long().tolist()
    assert int((open_[y, x].int() - still[y, x].int()).abs().max()) > 25
    forehead = rig.landmarks(rows(jaw_open=0.8))[0, 151].round().long().tolist()
    assert torch.equal(open_[forehead[1], forehead[0]], still[forehead[1], forehead[0]])


def test_a_blink_covers_the_eye_and_only_the_eye(rig: Rig) -> None:
    still, closed = rig.frames(torch.cat([rows(blink=0.0), rows(blink=1.0)])).float()
    changed = (closed - still).abs().amax(-1) > 12
    ys, xs = changed.nonzero().T
    eyes = rig.landmarks(rows(blink=0.0))[0, [33, 263, 159, 145]]
    reach = 0.45 * rig.face.scale
    assert changed.any()
    assert ys.min() > eyes[:, 1].min() - reach and ys.max() < eyes[:, 1].max() + reach


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "worn"), [(2, False), (3, True), (4, False), (5, True)])
def test_glasses_are_noticed_and_hold_their_shape(seed: int, worn: bool) -> None:
    picture, mesh = drawn_head(seed)
    rig = Rig.build(picture, mesh)
    assert any("glasses" in note for note in rig.notes) == worn
    rest, up = rig.landmarks(torch.cat([rows(outer_brow_up=0.0), rows(outer_brow_up=1.0)]))
    brow, frame = (float((up - rest)[i].norm(dim=-1).mean()) for i in ([105, 334], [224, 444]))
    assert (frame < 0.6 * brow) == worn
    cheeks = rig.landmarks(torch.cat([rows(cheek_raise=0.0), rows(cheek_raise=1.0)]))
    lens = float((cheeks[1] - cheeks[0])[[229, 230, 449, 450]].norm(dim=-1).mean()) / rig.face.scale
    assert (lens < 0.012) == worn


@pytest.mark.slow
def test_brows_in_a_high_arch_are_a_face_at_rest() -> None:
    picture, mesh = drawn_head()
    arched = {"browOuterUpLeft": 0.7, "browOuterUpRight": 0.7}
    assert torch.equal(Rig.build(picture, mesh, shapes=arched).frames(rows(smile=0.0))[0], picture)


def test_one_side_moves_alone(rig: Rig) -> None:
    rest, winked = rig.landmarks(torch.cat([rows(smile_l=0.0), rows(smile_l=1.0)]))
    moved = (winked - rest).norm(dim=1) / rig.face.scale
    assert moved[291] > 0.1 and moved[61] < 0.02


def test_a_picture_keeps_its_size_and_long_tracks_come_in_pieces(rig: Rig) -> None:
    pieces = rig.render(Track.still(emotion_parameters("sad"), 7), piece=3)
    assert [tuple(piece.shape) for piece in pieces] == [(n, *rig.size, 3) for n in (3, 3, 1)]


@pytest.mark.parametrize("degrees", [-60.0, -41.0, 41.0, 60.0])
def test_a_face_turned_too_far_is_refused_in_one_sentence(degrees: float) -> None:
    picture, mesh = drawn_head()
    with pytest.raises(InputError, match=r"turned by \d+ degrees.*up to 35.*use a picture") as refusal:
        Rig.build(picture, turned(mesh, degrees))
    assert str(refusal.value).count(". ") == 0


@pytest.mark.slow
def test_a_face_turned_somewhat_is_held_back_and_says_so() -> None:
    picture, mesh = drawn_head()
    front, side = Rig.build(picture, mesh), Rig.build(picture, turned(mesh, 27.0))
    assert not any("turned" in note for note in front.notes) and "turned" in side.notes[0]
    # Of its own size, since a turned face is narrower in the picture.
    smile = torch.stack([emotion_parameters("happy", share) for share in (0.0, 1.0)])
    spans = [
        float((moved[:, 291] - moved[:, 61])[1].norm() / (moved[:, 291] - moved[:, 61])[0].norm())
        for moved in (front.landmarks(smile), side.landmarks(smile))
    ]
    assert 1.05 < spans[1] < spans[0]


@pytest.mark.slow
def test_a_turned_face_is_measured(rig: Rig) -> None:
    picture, mesh = drawn_head()
    for degrees in (-20.0, 10.0):
        assert Rig.build(picture, turned(mesh, degrees)).yaw == pytest.approx(rig.yaw + degrees, abs=3.0)


@pytest.mark.slow
def test_an_open_mouth_in_the_picture_is_closed_at_rest() -> None:
    picture, mesh = drawn_head()
    open_ = mesh.clone()
    open_[list(LOWER_INNER[1:-1]), 1] += 0.2 * 62
    rig = Rig.build(picture, open_)
    assert any("mouth" in note for note in rig.notes)
    assert float(rig.gap(rows(jaw_open=0.0))) < 0.04
    chin = float((rig.landmarks(rows(jaw_open=0.0))[0, 152] - open_[152, :2])[1])
    assert chin < -0.08 * rig.face.scale, "the jaw comes up, not the lips alone"
    kept = Rig.build(picture, open_, calm=0.0)
    assert float(kept.gap(rows(jaw_open=0.0))) > 0.15
    assert torch.equal(kept.frames(rows(jaw_open=0.0))[0], picture)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda picture, mesh: (picture, mesh[:68]), r"478"),
        (lambda picture, mesh: (picture, mesh * float("nan")), "finite"),
        (lambda picture, mesh: (picture, mesh * 0.05), "too small"),
        (lambda picture, mesh: (picture, mesh + 4000), "outside"),
        (lambda picture, mesh: (picture[..., :2], mesh), "channels"),
        (lambda picture, mesh: (picture.float() * float("nan"), mesh), "finite"),
    ],
)
def test_what_cannot_be_used_is_refused(change: object, match: str) -> None:
    with pytest.raises(InputError, match=match):
        Rig.build(*change(*drawn_head()))  # type: ignore[operator]


@pytest.mark.parametrize("parameters", [torch.zeros(3, 5), torch.full((1, len(PARAMETERS)), float("nan"))])
def test_parameters_that_are_none_are_refused(rig: Rig, parameters: Tensor) -> None:
    with pytest.raises(InputError, match="facial parameters"):
        rig.render(parameters)


@pytest.mark.slow
def test_the_fingerprint_is_that_of_the_picture_and_its_points(rig: Rig) -> None:
    picture, mesh = drawn_head()
    assert Rig.build(picture, mesh).fingerprint == rig.fingerprint
    other = picture.clone()
    other[0, 0, 0] ^= 1
    assert (
        len({rig.fingerprint, Rig.build(other, mesh).fingerprint, Rig.build(picture, mesh + 0.5).fingerprint})
        == 3
    )


@pytest.mark.slow
def test_a_cut_off_face_can_be_moved() -> None:
    picture, mesh = drawn_head()
    rig = Rig.build(picture[70:190].contiguous(), mesh - torch.tensor([0.0, 70.0, 0.0]))
    assert rig.frames(anything(3, 2)).shape == (2, 120, 256, 3)
