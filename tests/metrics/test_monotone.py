"""More damage, worse scores: every metric under growing noise, blur and shift.

Metrics that compare with a reference get damaged pictures. Metrics of steadiness get a still clip of which
every other frame is damaged. Metrics of landmarks get points that tremble, are smoothed over time, or are
moved. Where a metric asks for a network, a simple stand-in sees what such a network would.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from eadnet.metrics.expression import expression_accuracy, predict_expression
from eadnet.metrics.fidelity import psnr, ssim
from eadnet.metrics.frechet import Gaussian, frechet_distance
from eadnet.metrics.identity import identity_similarity
from eadnet.metrics.landmarks import MOUTH_68, landmark_distance
from eadnet.metrics.perceptual import lpips
from eadnet.metrics.sync import sweep
from eadnet.metrics.temporal import flicker, jitter, warped_difference
from tests.quick import some

RANDOM = torch.Generator().manual_seed(0)
CLIP = F.interpolate(torch.rand(24, 3, 8, 8, generator=RANDOM), (48, 48), mode="bicubic").clamp(0, 1)
STILL = CLIP[:1].expand(8, -1, -1, -1)
NOISE = torch.randn(CLIP.shape, generator=RANDOM)


def blurred(frames: Tensor, reach: int) -> Tensor:
    return F.avg_pool2d(frames, 2 * reach + 1, 1, reach, count_include_pad=False)


DAMAGES: dict[str, list[Callable[[Tensor], Tensor]]] = {
    "noise": [lambda x, s=s: x + s * NOISE[: len(x)] for s in (0.02, 0.06, 0.2, 0.6)],  # type: ignore[misc]
    "blur": [lambda x, r=r: blurred(x, r) for r in (1, 2, 4, 8)],  # type: ignore[misc]
    # Less than what is alike in the pictures: beyond, they are strangers, and no stranger is stranger.
    "shift": [lambda x, s=s: x.roll(s, -1) for s in (1, 2, 3, 4)],  # type: ignore[misc]
}


def check(values: list[float], worse: int) -> None:
    """Strictly worse with every step; `worse` is 1 where that means higher."""
    steps = [worse * (b - a) for a, b in zip(values[:-1], values[1:], strict=True)]
    assert all(step > 0 for step in steps), values


class Layout:
    """Where it is bright, in 6 x 6 places: what a recogniser or a feature network sees at the least."""

    name = "layout"

    def __call__(self, pictures: Tensor) -> Tensor:
        if pictures.ndim == 5:  # clips: the places of all frames
            return torch.cat([self(frame) for frame in pictures.unbind(2)], 1)
        grey = F.adaptive_avg_pool2d(pictures.mean(1, keepdim=True), 6).flatten(1)
        return grey - grey.mean(1, keepdim=True)


class Person(Layout):
    def __call__(self, faces: Tensor) -> Tensor:
        return super().__call__(faces)


class Edges:
    name = "edges"

    def __call__(self, pictures: Tensor) -> list[Tensor]:
        kernels = torch.randn(6, 3, 5, 5, generator=torch.Generator().manual_seed(1))
        return [F.relu(F.conv2d(pictures, kernels, stride=2)), F.avg_pool2d(pictures, 4)]


def frechet(features: Tensor) -> float:
    ours, truth = Gaussian(features.shape[1]), Gaussian(features.shape[1])
    ours.add(features)
    truth.add(TRUE_FEATURES if features.shape[1] == 36 else TRUE_WINDOWS)
    return frechet_distance(ours, truth)


def windows(frames: Tensor) -> Tensor:
    """[n, 3, 2, H, W]: clips of two frames."""
    return torch.stack([frames[:-1], frames[1:]], 2)


TRUE_FEATURES, TRUE_WINDOWS = Layout()(CLIP), Layout()(windows(CLIP))


PICTURES: dict[str, tuple[Callable[[Tensor], float], int]] = {
    "PSNR": (lambda x: float(psnr(x, CLIP).mean()), -1),
    "SSIM": (lambda x: float(ssim(x, CLIP).mean()), -1),
    "LPIPS": (lambda x: float(lpips(x, CLIP, Edges()).mean()), 1),
    "FID": (lambda x: frechet(Layout()(x)), 1),
    "FVD": (lambda x: frechet(Layout()(windows(x))), 1),
    "CSIM": (lambda x: float(identity_similarity(x[:1], CLIP[:1], Person()).mean()), -1),
}


@pytest.mark.parametrize("damage", some(6, DAMAGES))
@pytest.mark.parametrize("metric", PICTURES)
def test_damaged_pictures_are_farther_from_the_true_ones(metric: str, damage: str) -> None:
    measure, worse = PICTURES[metric]
    check([measure(damaged(CLIP)) for damaged in DAMAGES[damage]], worse)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("metric", ["flicker", "flicker by itself", "warped difference"])
def test_a_still_clip_with_damage_in_every_other_frame_is_less_steady(metric: str, damage: str) -> None:
    measure: Callable[[Tensor], float] = {
        "flicker": lambda x: flicker(x, STILL),
        "flicker by itself": flicker,
        "warped difference": warped_difference,
    }[metric]
    damages = DAMAGES[damage]
    if metric == "warped difference" and damage == "shift":  # farther than its block matching reaches
        damages = [lambda x, s=s: x.roll(s, -1) for s in (4, 5, 6)]  # type: ignore[misc]
    values = []
    for damaged in damages:
        clip = STILL.clone()
        clip[::2] = damaged(STILL)[::2]
        values.append(measure(clip))
    check(values, 1)


TIME = torch.arange(40.0)
FACE = 100 * torch.rand(1, 68, 2, generator=RANDOM).expand(40, -1, -1)
SPEAKING = FACE.clone()
SPEAKING[:, 57, 1] += 6 * torch.sin(TIME)
TREMBLE = torch.randn(SPEAKING.shape, generator=RANDOM)


def held_back(points: Tensor, reach: int) -> Tensor:
    """Points averaged over time: a mouth that hardly opens."""
    series = F.pad(points.flatten(1).T[None], (reach, reach), mode="replicate")
    return F.avg_pool1d(series, 2 * reach + 1, 1)[0].T.reshape(points.shape)


def moved_mouth(points: Tensor, far: float) -> Tensor:
    moved = points.clone()
    moved[:, 57] += far
    return moved


POINTS = {
    "noise": [SPEAKING + s * TREMBLE for s in (0.2, 0.6, 2, 6)],
    "blur": [held_back(SPEAKING, r) for r in (1, 2, 3)],
    "shift": [moved_mouth(SPEAKING, far) for far in (1, 3, 9, 27)],
}


@pytest.mark.parametrize("damage", POINTS)
@pytest.mark.parametrize("rows", [None, MOUTH_68])
def test_worse_points_are_farther_from_the_true_ones(rows: tuple[int, ...] | None, damage: str) -> None:
    check([float(landmark_distance(x, SPEAKING, rows).mean()) for x in POINTS[damage]], 1)


@pytest.mark.parametrize(
    "clips",
    [
        pytest.param([FACE + s * TREMBLE for s in (0.2, 0.6, 2)], id="noise"),
        # A detector that blurs: every other frame a part of the way to the middle of the face.
        pytest.param(
            [
                FACE.where(TIME[:, None, None] % 2 > 0, (1 - s) * FACE + s * FACE.mean(1, keepdim=True))
                for s in (0.05, 0.1, 0.2)
            ],
            id="blur",
        ),
        pytest.param([FACE + s * (TIME % 2)[:, None, None] for s in (0.5, 1, 3)], id="shift"),
    ],
)
def test_points_that_tremble_more_jitter_more(clips: list[Tensor]) -> None:
    check([jitter(points) for points in clips], 1)


SPOKEN = torch.rand(24, generator=RANDOM)
FACES = 0.2 + torch.zeros(24, 3, 48, 48)
FACES[:, :, 22:26, 22:26] += 0.6 * SPOKEN[:, None, None, None]


@pytest.mark.parametrize("damage", DAMAGES)
def test_lips_that_are_harder_to_see_fit_the_sound_less(damage: str) -> None:
    """The stand-in looks at the mouth only, and hears loudness."""
    confidences, distances = [], []
    for damaged in DAMAGES[damage][:3]:  # then nothing of the mouth is left
        seen = damaged(FACES)[:, :, 22:26, 22:26].mean((1, 2, 3))
        lips, sound = (torch.stack([x, torch.ones(24)], 1) for x in (seen, 0.2 + 0.6 * SPOKEN))
        result = sweep(lips, sound, shifts=5, silence_beyond_ends=False)
        confidences.append(result.confidence)
        distances.append(result.distance)
    check(confidences, -1)
    check(distances, 1)


def test_sound_that_is_farther_off_has_a_larger_offset_and_a_larger_distance_at_none() -> None:
    video = torch.stack([held_back(torch.rand(60, 1, 2, generator=RANDOM), 4)[:, 0, 0], torch.ones(60)], 1)
    results = [sweep(video, video.roll(late, 0), silence_beyond_ends=False) for late in (0, 1, 3, 6)]
    assert [result.offset for result in results] == [0, -1, -3, -6]
    check([float(result.mean_distances[15]) for result in results[:3]], 1)


@pytest.mark.parametrize("damage", DAMAGES)
def test_expressions_that_are_harder_to_see_are_read_as_asked_less_often(damage: str) -> None:
    """Two expressions differ by fine stripes around the mouth; a camera adds noise after the damage."""

    class Stripes:
        name, labels = "stripes", ("sad", "happy")

        def __call__(self, faces: Tensor) -> Tensor:
            bright = (faces * PATTERN).mean((1, 2, 3))
            return torch.stack([-bright, bright], 1)

    PATTERN = torch.sin(torch.arange(48) * 2 * torch.pi / 24).expand(1, 3, 48, 48)
    camera = torch.randn(80, 1, 3, 48, 48, generator=torch.Generator().manual_seed(2))
    # Shifts of up to half a stripe, and noise as strong as what it hides.
    steps = {
        "noise": [lambda x, s=s: x + s * camera for s in (0.0, 6.0, 60.0)],
        "blur": [lambda x, r=r: blurred(x.flatten(0, 1), r).unflatten(0, (80, 1)) for r in (0, 8, 11)],
        "shift": [lambda x, s=s: x.roll(s, -1) for s in (0, 5, 6)],
    }[damage]
    asked = ["happy", "sad"] * 40
    signs = torch.tensor([1.0, -1.0] * 40)[:, None, None, None, None]
    other = torch.randn(camera.shape, generator=torch.Generator().manual_seed(3))
    accuracies = []
    for damaged in steps:
        clips = 0.5 + damaged(0.1 * signs * PATTERN) + 2.0 * other
        read = [predict_expression(clip, Stripes()) for clip in clips]
        accuracies.append(expression_accuracy(asked, read, Stripes.labels).accuracy.mean)
    assert accuracies == sorted(accuracies, reverse=True) and accuracies[0] > accuracies[-1]
