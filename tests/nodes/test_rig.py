"""Portraits that move: the rig of the bundled portrait, expressions from speech, edited and rendered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from eadnet.media.images import read_image
from eadnet.media.video import write_video
from tests.in_comfy import ROOT
from tests.rig.drawn import bundled_head

pytestmark = pytest.mark.slow  # building a rig takes a second, loading mini another

FILES = ROOT / "eadnet" / "assets"
LANDMARKER = ROOT.parent / "shared" / "models" / "face_landmarker_v2_with_blendshapes.task"


@pytest.fixture(scope="module")
def portrait() -> torch.Tensor:
    return read_image(FILES / "portrait.png")[None, ..., :3]


@pytest.fixture(scope="module")
def rigged(nodes: Any, run: Callable[..., Any], portrait: torch.Tensor) -> tuple[Any, torch.Tensor]:
    return run(nodes.EADNetFaceRig, image=portrait, index=0, calm=0.0)


@pytest.fixture(scope="module")
def track(submodule: Callable[[str], Any]) -> Callable[..., Any]:
    """Makes an EXPRESSION."""
    return submodule("eadnet.rig.track").Track.of


def test_the_bundled_portrait_needs_no_face_landmarker(
    rigged: tuple[Any, torch.Tensor], portrait: torch.Tensor
) -> None:
    rig, preview = rigged
    assert rig.size == (512, 512)
    assert preview.shape == portrait.shape and not torch.equal(preview, portrait), "the mesh is drawn on it"


def test_another_picture_says_which_file_is_missing_and_where(
    nodes: Any, run: Callable[..., Any], portrait: torch.Tensor, input_error: type[Exception]
) -> None:
    with pytest.raises(input_error, match=r"eadnet fetch faces.*models.eadnet.faces"):
        run(nodes.EADNetFaceRig, image=portrait.flip(2), index=0, calm=0.0)


def test_a_face_at_rest_is_the_portrait_and_an_open_mouth_is_not(
    nodes: Any, run: Callable[..., Any], rigged: Any, portrait: torch.Tensor, track: Callable[..., Any]
) -> None:
    rig = rigged[0]
    images, fps = run(
        nodes.EADNetRenderRig, rig=rig, expression=track({"jaw_open": [0.0, 0.7]}, 25), fps=25.0
    )
    assert images.shape == (2, 512, 512, 3) and fps == 25
    assert (images[0] - portrait[0]).abs().max() <= 1.01 / 255
    assert (images[1] - portrait[0]).abs().max() > 0.2
    x0, y0, x1, y1 = rig.region
    outside = torch.ones(512, 512, dtype=torch.bool)
    outside[y0:y1, x0:x1] = False
    assert torch.equal(images[1][outside], portrait[0][outside]), "outside, pixels stay as they are"


def test_an_expression_is_brought_to_the_frame_rate_of_the_result(
    nodes: Any, run: Callable[..., Any], rigged: Any, track: Callable[..., Any]
) -> None:
    images, _ = run(
        nodes.EADNetRenderRig, rig=rigged[0], expression=track({"smile": [0.0, 0.5]}, 10), fps=25.0
    )
    assert len(images) == 5


def test_a_picture_with_odd_sides_becomes_frames_that_save_video_can_encode(
    nodes: Any, run: Callable[..., Any], track: Callable[..., Any], submodule: Callable[[str], Any]
) -> None:
    picture, mesh = bundled_head()
    odd = picture[:-1, :-3]
    rig = submodule("eadnet.rig.rig").Rig.build(odd, mesh)
    images, _ = run(nodes.EADNetRenderRig, rig=rig, expression=track({"smile": [0.0]}, 25), fps=25.0)
    assert images.shape == (1, 512, 510, 3)
    assert torch.equal(images[0, :511, :509], odd.float() / 255)
    assert torch.equal(images[0, 511], images[0, 510]) and torch.equal(images[0, :, 509], images[0, :, 508])


def test_parts_are_strengthened_and_constants_added(
    nodes: Any, run: Callable[..., Any], track: Callable[..., Any]
) -> None:
    given = track({"smile": [0.4], "jaw_open": [0.5], "blink": [1.0]}, 25)
    amounts = dict.fromkeys(("mouth", "smile", "brows", "lids", "blink", "gaze", "head", "emotion"), 1.0)
    same, curves = run(nodes.EADNetEditExpression, expression=given, add="", **amounts)
    assert torch.equal(same.values, given.values) and curves.ndim == 4 and curves.shape[-1] == 3
    edited, _ = run(
        nodes.EADNetEditExpression,
        expression=given,
        add="gaze_x -0.25\nsmile: 0.1",
        **{**amounts, "mouth": 0.5, "blink": 0.0},
    )
    assert edited["jaw_open"].item() == pytest.approx(0.25) and edited["blink"].item() == 0
    assert edited["smile"].item() == pytest.approx(0.5) and edited["gaze_x"].item() == pytest.approx(-0.25)


def test_the_mouth_may_come_from_another_expression(
    nodes: Any, run: Callable[..., Any], track: Callable[..., Any]
) -> None:
    amounts = dict.fromkeys(("mouth", "smile", "brows", "lids", "blink", "gaze", "head", "emotion"), 1.0)
    mixed, _ = run(
        nodes.EADNetEditExpression,
        expression=track({"smile": [0.6] * 4, "jaw_open": [0.9] * 4}, 25),
        mouth_from=track({"jaw_open": [0.1] * 8, "smile": [0.0] * 8}, 50),
        add="",
        **amounts,
    )
    assert mixed["jaw_open"].tolist() == pytest.approx([0.1] * 4)
    assert mixed["smile"].tolist() == pytest.approx([0.6] * 4)


@pytest.mark.parametrize("add", ["smile", "smile x", "smile 0.1 0.2", "smlie 0.1", "smile nan", "smile 7"])
def test_what_cannot_be_added_is_said_with_its_line_or_a_hint(
    nodes: Any, run: Callable[..., Any], track: Callable[..., Any], input_error: type[Exception], add: str
) -> None:
    amounts = dict.fromkeys(("mouth", "smile", "brows", "lids", "blink", "gaze", "head", "emotion"), 1.0)
    with pytest.raises(input_error, match="line 1|did you mean|Choose"):
        run(nodes.EADNetEditExpression, expression=track({"smile": [0.0]}, 25), add=add, **amounts)


def test_speech_and_a_sentence_give_an_expression(
    nodes: Any, run: Callable[..., Any], speech: Callable[..., dict[str, Any]]
) -> None:
    model, audio_encoder, text_encoder, vae, tfrm, _ = run(
        nodes.EADNetCheckpointLoader, checkpoint="mini.safetensors"
    )
    happy = run(nodes.EADNetEmotionEncode, text_encoder=text_encoder, text="happy, a broad smile")[0]
    settings = {"seed": 1, "blinks": 0.0, "gaze": 0.0, "head_motion": 0.0, "audio": speech(0.8), "tfrm": tfrm}
    parts = {"model": model, "vae": vae, "audio_encoder": audio_encoder, **settings}
    smiling, curves = run(nodes.EADNetExpressionFromSpeech, emotion=happy, **parts)
    assert len(smiling) == 20 and smiling.fps == 25 and curves.ndim == 4
    plain, _ = run(nodes.EADNetExpressionFromSpeech, **parts)
    assert smiling["smile"].mean() > plain["smile"].mean() + 0.3
    assert smiling["blink"].abs().max() == 0 and smiling["head_yaw"].abs().max() == 0


def test_a_model_whose_face_cannot_be_read_is_refused(
    nodes: Any, run: Callable[..., Any], loaded: Any, speech: Callable[..., Any], input_error: type[Exception]
) -> None:
    with pytest.raises(input_error, match="mini"):
        run(
            nodes.EADNetExpressionFromSpeech,
            model=loaded.model,
            vae=loaded.vae,
            audio_encoder=loaded.audio_encoder,
            audio=speech(0.5),
            seed=0,
            blinks=18.0,
            gaze=1.0,
            head_motion=1.0,
        )


@pytest.mark.parametrize("part", ["audio_encoder", "model", "tfrm"])
def test_cancel_is_answered_within_a_network(
    nodes: Any, run: Callable[..., Any], speech: Callable[..., dict[str, Any]], part: str
) -> None:
    from comfy import model_management

    model, audio_encoder, _, vae, tfrm, _ = run(nodes.EADNetCheckpointLoader, checkpoint="mini.safetensors")
    held = {"audio_encoder": audio_encoder, "model": model.network, "tfrm": tfrm.network}[part]
    network, ended = held.use(), []
    first = next(layer for layer in network.modules() if not list(layer.children()))
    hooks = [
        first.register_forward_hook(lambda *_: model_management.interrupt_current_processing()),
        network.register_forward_hook(lambda *_: ended.append(1)),
    ]
    given = {"model": model, "vae": vae, "audio_encoder": audio_encoder, "tfrm": tfrm, "audio": speech(0.8)}
    try:
        with pytest.raises(model_management.InterruptProcessingException):
            run(nodes.EADNetExpressionFromSpeech, **given, seed=1, blinks=0.0, gaze=0.0, head_motion=0.0)
    finally:
        model_management.interrupt_current_processing(False)
        for hook in hooks:
            hook.remove()
    assert not ended


@pytest.mark.skipif(not LANDMARKER.is_file(), reason="no face_landmarker.task here")
@pytest.mark.parametrize("seen", ["1", "1001", "01", "0"])
def test_a_video_gives_an_expression_of_every_frame_at_its_rate(
    nodes: Any,
    run: Callable[..., Any],
    host: Any,
    monkeypatch: pytest.MonkeyPatch,
    portrait: torch.Tensor,
    input_error: type[Exception],
    seen: str,
) -> None:
    """A face that is lost is bridged; without any, one sentence says so."""
    monkeypatch.setattr(host, "face_task_path", lambda: LANDMARKER)
    frames = torch.cat([portrait if shown == "1" else torch.full_like(portrait, 0.5) for shown in seen])

    def read() -> Any:
        return run(nodes.EADNetExpressionFromVideo, images=frames, fps=30.0, head_motion=1.0)

    if "1" not in seen:
        with pytest.raises(input_error, match="No face was found in the video"):
            read()
        return
    track, curves = read()
    assert len(track) == len(seen) and track.fps == 30 and curves.ndim == 4
    assert torch.allclose(track.values, track.values[:1].expand_as(track.values), atol=0.05)


@pytest.mark.parametrize("kind", ["frames", "video"])
def test_an_expression_from_a_video_has_the_rate_of_its_source(
    nodes: Any,
    host: Any,
    run: Callable[..., Any],
    submodule: Callable[[str], Any],
    track: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    from comfy_api.latest import InputImpl

    frames = torch.full((6, 32, 32, 3), 0.5)
    write_video(tmp_path / "v.mp4", list((frames * 255).byte().numpy()), 30)
    images = frames if kind == "frames" else InputImpl.VideoFromFile(str(tmp_path / "v.mp4"))
    seen: list[float] = []

    def read(pictures: Any, fps: float, *_: Any) -> Any:
        seen.extend([len(list(pictures)), fps])
        return track({"smile": [0.5] * 6}, fps)

    module = submodule("nodes.expression")
    monkeypatch.setattr(module, "track_from_video", read)
    monkeypatch.setattr(module, "FaceLandmarker", lambda *_, **__: None)
    monkeypatch.setattr(host, "face_task_path", lambda: tmp_path)
    run(nodes.EADNetExpressionFromVideo, images=images, fps=50.0, head_motion=1.0)
    assert seen == [6, 50.0 if kind == "frames" else 30.0]


def test_landmarks_of_comfyui_and_a_face_by_hand_take_the_landmarkers_place(
    nodes: Any, run: Callable[..., Any], portrait: torch.Tensor, rigged: Any
) -> None:
    unknown = portrait.clone()
    unknown[0, 0, 0] = 0.0  # so no bundled points are known of it
    mesh = rigged[0].face.place(rigged[0].face.points)
    given = {"frames": [[{"landmarks_xy": mesh.numpy()}]], "image_size": tuple(portrait.shape[1:3])}
    x0, y0 = mesh.amin(0).tolist()
    x1, y1 = mesh.amax(0).tolist()
    for more in ({"face_landmarks": given}, {"manual": f"{x0} {y0} {x1} {y1}"}):
        rig, _ = run(nodes.EADNetFaceRig, image=unknown, index=0, calm=0.0, **more)
        assert abs(float(rig.face.centre[0] - mesh[[33, 263], 0].mean())) < 0.1 * rig.face.scale


def test_no_face_is_shown_with_a_scale_of_pixels_to_enter_it_by_hand(
    nodes: Any,
    host: Any,
    run: Callable[..., Any],
    portrait: torch.Tensor,
    input_error: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pictures: list[Any] = []
    monkeypatch.setattr(host, "show_picture", lambda picture, _: pictures.append(picture))
    nobody = {"frames": [[]], "image_size": tuple(portrait.shape[1:3])}
    with pytest.raises(input_error, match="say where it is by hand"):
        run(nodes.EADNetFaceRig, image=portrait, index=0, calm=0.0, face_landmarks=nobody)
    assert pictures[0].shape == tuple(portrait.shape[1:])


def test_a_video_gets_an_expression_where_its_face_is(
    nodes: Any,
    host: Any,
    run: Callable[..., Any],
    submodule: Callable[[str], Any],
    portrait: torch.Tensor,
    track: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import json

    found = submodule("eadnet.faces.landmarker").LandmarkedFace(
        torch.tensor(json.loads((FILES / "portrait.json").read_text("utf-8"))["points"]).numpy()
    )

    class Finder:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        def detect(self, frame: Any) -> Any:
            return [found] if frame[0, 0].max() > 0 else []

        def again(self, frame: Any, face: Any) -> Any:
            return next(iter(self.detect(frame)), None)

    monkeypatch.setattr(submodule("nodes.re_emote"), "FaceLandmarker", Finder)
    monkeypatch.setattr(host, "face_task_path", lambda: tmp_path)
    frames = portrait.repeat(3, 1, 1, 1)
    frames[:, 0, 0] = torch.tensor([1.0, 1.0, 0.0])[:, None]  # the last one shows nobody
    images, fps = run(
        nodes.EADNetReEmote,
        images=frames,
        expression=track({"smile": [0.0, 0.0, 1.0], "inner_brow_up": [0.0, 1.0, 1.0]}, 30),
        replace_lips=False,
        index=0,
        fps=30.0,
    )
    assert images.shape == frames.shape and fps == 30
    same = [bool((images[n] - frames[n]).abs().max() < 0.003) for n in range(3)]
    assert same == [True, False, True]
