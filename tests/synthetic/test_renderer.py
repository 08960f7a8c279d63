"""The renderer: framing, smooth and distinct effects of every parameter, exact ground truth, any size."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from eadnet.errors import InputError
from eadnet.synthetic.expression import (
    EMOTIONS,
    INDEX,
    PARAMETERS,
    RANGES,
    emotion_expression,
    expression,
    neutral,
)
from eadnet.synthetic.identity import HAIR_STYLES, Identity, sample_identity
from eadnet.synthetic.renderer import Renderer, mouth_opening
from tests.quick import some

cv2 = pytest.importorskip("cv2")

# A resting mouth hides the tongue: such parameters are watched in a slightly open one.
_BASE = {"tongue_up": {"jaw_open": 0.4}, "lip_close": {"jaw_open": 0.3}}


@pytest.fixture(scope="module")
def person() -> Identity:
    """No beard, glasses or fringe: everything that moves is in sight."""
    identity = sample_identity(np.random.default_rng(6))
    return dataclasses.replace(identity, hair_style="bun", beard="none", glasses="none")


@pytest.fixture(scope="module")
def renderer(person: Identity) -> Renderer:
    return Renderer(person, 128)


@pytest.fixture(scope="module")
def people() -> list[Renderer]:
    rng = np.random.default_rng(0)
    return [Renderer(sample_identity(rng), 24) for _ in range(12)]


def _sweep(renderer: Renderer, name: str, steps: int) -> np.ndarray:
    """Pictures while one parameter crosses its range, float32 [steps, S, S, 3]."""
    low, high = RANGES[INDEX[name]]
    params = np.tile(expression(**_BASE.get(name, {})), (steps, 1))
    params[:, INDEX[name]] = np.linspace(low, high, steps)
    return renderer.render_clip(params).astype(np.float32)


@pytest.fixture(scope="module")
def sweeps(renderer: Renderer) -> dict[str, np.ndarray]:
    return {name: _sweep(renderer, name, 7) for name in PARAMETERS}


@pytest.mark.slow
def test_every_parameter_changes_the_picture_visibly(sweeps: dict[str, np.ndarray]) -> None:
    assert [name for name, sweep in sweeps.items() if np.abs(sweep[-1] - sweep[0]).max() <= 20] == []


@pytest.mark.slow
def test_no_parameter_rests_or_jumps(sweeps: dict[str, np.ndarray]) -> None:
    steps = {name: np.abs(np.diff(sweep, axis=0)).mean((1, 2, 3)) for name, sweep in sweeps.items()}
    assert [name for name, step in steps.items() if step.min() == 0] == []
    assert [name for name, step in steps.items() if step.max() >= 3.5 * np.median(step)] == []


@pytest.mark.slow
def test_a_small_step_makes_a_small_change(renderer: Renderer) -> None:
    for name in PARAMETERS:
        low, high = RANGES[INDEX[name]]
        params = np.tile(expression(**_BASE.get(name, {})), (2, 1))
        params[:, INDEX[name]] = low + (high - low) * np.array([0.5, 0.502])
        before, after = renderer.render_clip(params).astype(np.float32)
        change = np.abs(after - before)
        assert change.mean() < 0.2 and change.max() < 60, name


@pytest.mark.slow
def test_every_parameter_has_an_effect_of_its_own(sweeps: dict[str, np.ndarray]) -> None:
    effects = np.stack([(sweep[-1] - sweep[0]).ravel() for sweep in sweeps.values()])
    effects /= np.linalg.norm(effects, axis=1, keepdims=True)
    alike = effects @ effects.T - np.eye(len(effects))
    worst = np.unravel_index(np.argmax(alike), alike.shape)
    assert alike.max() < 0.92, [PARAMETERS[i] for i in worst]


@pytest.mark.slow
def test_emotions_look_different(people: list[Renderer]) -> None:
    for renderer in people[:4]:
        clip = renderer.render_clip(np.stack([emotion_expression(name) for name in EMOTIONS])).astype(float)
        for one, other in itertools.combinations(range(len(EMOTIONS)), 2):
            assert np.abs(clip[one] - clip[other]).mean() > 0.25


def test_framing_of_every_person(people: list[Renderer]) -> None:
    for renderer in people:
        points = renderer.landmarks(neutral()) / renderer.size
        assert abs(points[27:31, 0].mean() - 0.5) < 0.005
        assert abs(points[36:48, 1].mean() - 0.45) < 0.03
        assert abs(points[48:68, 1].mean() - 0.70) < 0.03
        assert abs(points[8, 1] - 0.86) < 0.03
        assert 0.54 < np.ptp(points[:17, 0]) < 0.66


@pytest.mark.slow
def test_moving_features_stay_inside_the_mask(people: list[Renderer]) -> None:
    """The denoiser repaints a superellipse; whatever moves must never leave it."""
    rng = np.random.default_rng(1)
    for renderer in people:
        extremes = rng.choice([0, 1], (60, len(PARAMETERS)))
        for corner in extremes:
            params = np.where(corner, RANGES[:, 1], RANGES[:, 0])
            params[INDEX["jaw_open"]] = 1.0
            params[INDEX["chin_raise"]] = 0.0
            points = renderer.landmarks(params)[np.r_[6:11, 17:68]] / renderer.size
            radius = (np.abs(points - (0.5, 0.60)) / (0.33, 0.36)) ** 2.5
            assert radius.sum(1).max() < 1.0


def test_head_turn_is_a_small_parallax(renderer: Renderer) -> None:
    rest = renderer.landmarks(neutral()) / renderer.size
    for name, axis in (("head_yaw", 0), ("head_pitch", 1)):
        turned = renderer.landmarks(expression(**{name: 1.0})) / renderer.size
        shift = (turned - rest)[36:68, axis]
        assert 0.012 < shift.min() and shift.max() < 0.032


def test_mouth_opening_grows_with_the_jaw(renderer: Renderer) -> None:
    openings = [mouth_opening(renderer.landmarks(expression(jaw_open=v))) for v in np.linspace(0, 1, 21)]
    assert openings[0] == pytest.approx(0, abs=1e-6)
    assert (np.diff(openings) > 0.005).all()
    assert openings[-1] > 0.25


def test_closed_lips_are_closed_whatever_else_moves(renderer: Renderer) -> None:
    rng = np.random.default_rng(2)
    for _ in range(30):
        params = rng.uniform(RANGES[:, 0], RANGES[:, 1])
        params[INDEX["lip_close"]] = 1.0
        assert mouth_opening(renderer.landmarks(params)) == pytest.approx(0, abs=1e-5)


def test_mouth_width_follows_its_muscles(renderer: Renderer) -> None:
    def width(**params: float) -> float:
        points = renderer.landmarks(expression(**params))
        return float(points[54, 0] - points[48, 0])

    rest = width()
    assert width(smile_l=1, smile_r=1) > 1.1 * rest
    assert width(lip_stretch=1) > 1.1 * rest
    assert width(lip_pucker=1) < 0.75 * rest
    assert width(lip_funnel=1) < 0.85 * rest


def test_left_and_right_belong_to_the_person(renderer: Renderer) -> None:
    """The person's left is on the right of the picture."""
    rest = renderer.landmarks(neutral())
    smiling = renderer.landmarks(expression(smile_l=1.0))
    assert smiling[54, 1] < rest[54, 1] - 2
    assert smiling[48, 1] == pytest.approx(rest[48, 1], abs=0.5)
    winking = renderer.landmarks(expression(blink_l=1.0))
    assert winking[43, 1] > rest[43, 1] + 1
    assert winking[37, 1] == pytest.approx(rest[37, 1])


@pytest.mark.slow
def test_masks_cover_what_they_name(person: Identity) -> None:
    frame = Renderer(person, 128).render(expression(jaw_open=0.5))
    columns, rows = np.rint(frame.landmarks.mean(0)).astype(int)
    assert frame.masks["face"][rows, columns]
    for name, points in (("mouth", frame.landmarks[48:60]), ("eyes", frame.landmarks[36:42])):
        x, y = points.mean(0).astype(int)
        assert frame.masks[name][y, x]
        assert (frame.masks[name] & frame.masks["face"]).sum() == frame.masks[name].sum()
    assert not (frame.masks["hair"] & frame.masks["mouth"]).any()
    assert frame.masks["hair"][:20].any()
    blinking = Renderer(person, 128).render(expression(blink_l=1, blink_r=1))
    assert blinking.masks["eyes"].sum() < 0.45 * frame.masks["eyes"].sum()


def test_the_dark_of_the_mouth_is_where_the_landmarks_say(renderer: Renderer) -> None:
    frame = renderer.render(expression(jaw_open=1.0))
    x, y = frame.landmarks[[61, 62, 63, 65, 66, 67]].mean(0).astype(int)
    skin = frame.image[int(frame.landmarks[33, 1]) + 5, x].astype(int)
    assert frame.image[y, x].astype(int).sum() < 0.5 * skin.sum()


@pytest.mark.parametrize("style", some(4, HAIR_STYLES))
def test_every_hair_style_leaves_the_features_free(person: Identity, style: str) -> None:
    frame = Renderer(dataclasses.replace(person, hair_style=style), 64).render(neutral())
    assert frame.image.std() > 10
    assert not (frame.masks["hair"] & frame.masks["eyes"]).any()


def test_rendering_is_deterministic_and_free_of_memory(person: Identity) -> None:
    params = np.stack([emotion_expression(name) for name in EMOTIONS])
    one = Renderer(person, 48)
    clip = one.render_clip(params)
    np.testing.assert_array_equal(clip, Renderer(person, 48).render_clip(params))
    np.testing.assert_array_equal(clip[3], one.render(params[3]).image)


def test_identities_repeat_for_a_seed_and_vary_between_seeds() -> None:
    assert sample_identity(np.random.default_rng(3)) == sample_identity(np.random.default_rng(3))
    drawn = [sample_identity(np.random.default_rng(seed)) for seed in range(60)]
    for field in dataclasses.fields(Identity):
        assert len({getattr(identity, field.name) for identity in drawn}) > 1, field.name
    assert {identity.hair_style for identity in drawn} >= {"bald", "curly", "long", "bun"}


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 3, 7, 17, 33, 100])
def test_any_size_works_and_looks_alike(person: Identity, size: int) -> None:
    params = emotion_expression("happy")
    frame = Renderer(person, size).render(params)
    assert frame.image.shape == (size, size, 3) and frame.image.dtype == np.uint8
    assert frame.landmarks.shape == (68, 2) and frame.landmarks.dtype == np.float32
    assert all(mask.shape == (size, size) and mask.dtype == bool for mask in frame.masks.values())
    large = Renderer(person, 192).render(params)
    np.testing.assert_allclose(frame.landmarks / size, large.landmarks / 192, atol=1e-5)
    assert np.abs(frame.image.mean((0, 1)) - large.image.mean((0, 1))).max() < 12


@pytest.mark.parametrize("size", [0, -1, 2049])
def test_impossible_sizes_are_refused(person: Identity, size: int) -> None:
    with pytest.raises(InputError, match="from 1 to 2048"):
        Renderer(person, size)


def test_bad_parameters_are_refused(renderer: Renderer) -> None:
    with pytest.raises(InputError, match="shape"):
        renderer.render(np.zeros(3))
    with pytest.raises(InputError, match="frames"):
        renderer.render_clip(neutral())
    for name, value, words in (("jaw_open", 1.2, "from 0 to 1"), ("head_roll", -5.0, "from -4 to 4")):
        beyond = neutral()
        beyond[INDEX[name]] = value
        with pytest.raises(InputError, match=f"'{name}' is {value:g}: give a value {words}"):
            renderer.render(beyond)
    broken = neutral()
    broken[0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        renderer.render(broken)


def test_an_empty_clip_is_empty(renderer: Renderer) -> None:
    assert renderer.render_clip(np.zeros((0, len(PARAMETERS)))).shape == (0, 128, 128, 3)
