"""In the nodes: results that are not finite, images that are none, and faces that are not in their place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.in_comfy import ROOT
from tests.quick import some

Run = Callable[..., tuple[Any, ...]]


@pytest.fixture
def broken(host: Any) -> Callable[..., Any]:
    """A network in ComfyUI's care whose first weight (or that of ``name``) is no number."""

    def call(held: Any, name: str | None = None) -> Any:
        module = copy.deepcopy(held.patcher.model)
        with torch.no_grad():
            parameter = next(module.parameters()) if name is None else module.get_parameter(name)
            parameter.view(-1)[0] = torch.nan
        return host.Held(module)

    return call


def test_encode_audio_names_the_audio_encoder(
    nodes: Any, run: Run, loaded: Any, broken: Any, speech: Any, input_error: type[Exception]
) -> None:
    with pytest.raises(input_error, match="audio encoder"):
        run(nodes.EADNetAudioEncode, audio_encoder=broken(loaded.audio_encoder), audio=speech(0.5), fps=25.0)


def test_encode_emotion_names_the_text_encoder(
    nodes: Any, run: Run, loaded: Any, broken: Any, input_error: type[Exception]
) -> None:
    with pytest.raises(input_error, match="text encoder"):
        run(nodes.EADNetEmotionEncode, text_encoder=broken(loaded.text_encoder, "positions"), text="happy")


def test_the_smoother_names_itself_and_its_input(
    nodes: Any, run: Run, loaded: Any, broken: Any, input_error: type[Exception]
) -> None:
    samples = torch.randn(5, 4, 4, 4)
    bad = replace(loaded.tfrm, network=broken(loaded.tfrm.network, "out.weight"))
    with pytest.raises(input_error, match="TFRM's result"):
        run(nodes.EADNetTFRMSmoother, tfrm=bad, samples={"samples": samples}, strength=1.0, top_k=0)
    samples[3, 0, 0, 0] = torch.nan
    with pytest.raises(input_error, match="latents at samples"):
        run(nodes.EADNetTFRMSmoother, tfrm=loaded.tfrm, samples={"samples": samples}, strength=1.0, top_k=0)


def test_comfyuis_own_vae_nodes_name_our_vae(
    loaded: Any, host: Any, broken: Any, input_error: type[Exception]
) -> None:
    for name, call in (
        ("encoder.1.weight", lambda vae: vae.encode(torch.rand(1, 32, 32, 3))),
        ("decoder.0.weight", lambda vae: vae.decode(torch.randn(1, 4, 4, 4))),
    ):
        vae = host.HeldVAE(broken(loaded.vae.held, name).patcher.model)
        with pytest.raises(input_error, match="VAE (en|de)coder"):
            call(vae)


BAD_FRAMES = {
    "not finite": (
        lambda frames: frames.index_fill_(0, torch.tensor([5]), torch.nan),
        "not finite, in frame 5",
    ),
    "infinite": (
        lambda frames: frames.index_fill_(0, torch.tensor([5]), torch.inf),
        "not finite, in frame 5",
    ),
    "bytes": (lambda frames: frames.mul_(255), "divide by 255"),
    "one frame of bytes": (lambda frames: frames[5].mul_(255), "frame 5.*divide by 255"),
    "16 bits": (lambda frames: frames.mul_(65535), "divide by 65535"),
    "-1 to 1": (lambda frames: frames.mul_(2).sub_(1), "add 1 and divide by 2"),
}


@pytest.mark.parametrize(("spoil", "said"), BAD_FRAMES.values(), ids=BAD_FRAMES)
@pytest.mark.parametrize("node", ["prepare", "track", "render", "put back"])
def test_every_frame_of_an_image_is_looked_at(
    nodes: Any,
    run: Run,
    loaded: Any,
    speech: Any,
    input_error: type[Exception],
    node: str,
    spoil: Any,
    said: str,
) -> None:
    frames = torch.rand(8, 40, 40, 3)
    frames[:, 0, 0] = 1.0
    frames[:, 0, 1] = 0.0
    good = frames.clone()
    spoil(frames)
    track = {
        name: spec[1].get("default") for name, spec in nodes.EADNetFaceTrack.INPUT_TYPES()["required"].items()
    }
    track |= {"detector": "manual", "manual": "4, 4, 36, 36", "model": loaded.model}
    with pytest.raises(input_error, match=said):
        if node == "prepare":
            run(
                nodes.EADNetPrepare,
                model=loaded.model,
                vae=loaded.vae,
                images=frames,
                frame_count=2,
                mask_region="auto",
            )
        elif node == "track":
            run(nodes.EADNetFaceTrack, **{**track, "images": frames})
        elif node == "put back":
            place, *_ = run(nodes.EADNetFaceTrack, **{**track, "images": good})
            run(
                nodes.EADNetFaceComposite,
                images=good,
                faces=frames,
                track=place,
                mask_region="auto",
                feather=0.05,
                colour_match=0.5,
            )
        else:
            from tests.nodes.test_render import SETTINGS

            parts = {"model": loaded.model, "vae": loaded.vae, "audio_encoder": loaded.audio_encoder}
            run(nodes.EADNetRenderVideo, **SETTINGS, **parts, source=frames, audio=speech(0.1))


def test_a_little_beyond_the_range_is_clipped_as_before(nodes: Any, run: Run, loaded: Any) -> None:
    sharpened = torch.rand(2, 32, 32, 3) * 1.6 - 0.3
    _, crops, _ = run(
        nodes.EADNetPrepare,
        model=loaded.model,
        vae=loaded.vae,
        images=sharpened,
        frame_count=2,
        mask_region="auto",
    )
    torch.testing.assert_close(crops, sharpened.clamp(0, 1))


@pytest.mark.slow
def test_comfyuis_vae_that_overflows_in_half_precision_goes_on_in_float32(
    nodes: Any, loaded: Any, submodule: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A VAE as ComfyUI loads it, with weights that only half precision cannot bear."""
    import comfy.sd
    from comfy.ldm.models.autoencoder import AutoencoderKL

    torch.manual_seed(0)
    shape = {
        "ddconfig": {
            "double_z": True,
            "z_channels": 4,
            "resolution": 32,
            "in_channels": 3,
            "out_ch": 3,
            "ch": 32,
            "ch_mult": [1, 1, 1, 1],
            "num_res_blocks": 1,
            "attn_resolutions": [],
            "dropout": 0.0,
        },
        "embed_dim": 4,
    }
    weights = AutoencoderKL(**shape).state_dict()
    for name, value in weights.items():
        weights[name] = torch.randn(value.shape) * 0.05 if value.ndim > 1 else torch.ones(value.shape) * 0.5
    weights["decoder.conv_in.weight"] *= 2e5
    weights = {name: value.half().float() for name, value in weights.items()}

    def vae(dtype: torch.dtype) -> Any:
        return comfy.sd.VAE(sd=dict(weights), config={"params": shape}, dtype=dtype)

    half = vae(torch.float16)
    latents = torch.randn(2, 4, 4, 4)
    assert not torch.isfinite(half.decode(latents)).all(), "this is the fault"
    said: list[str] = []
    coder = submodule("nodes.latents").finite_vae(half, 1.0, said.append)
    first, second = coder.decode(latents), coder.decode(latents)
    expected = vae(torch.float32).decode(latents).movedim(-1, 1) * 2 - 1
    torch.testing.assert_close(first, expected)
    assert torch.equal(first, second) and len(said) == 1 and "float32" in said[0]
    assert (
        half.vae_dtype == torch.float16 and next(half.first_stage_model.parameters()).dtype == torch.float16
    )


@pytest.fixture
def portrait() -> torch.Tensor:
    from eadnet.media.images import read_image

    return read_image(ROOT / "eadnet" / "assets" / "portrait.png")[None, ::2, ::2, :3]


@pytest.fixture
def prepared(nodes: Any, loaded: Any) -> Callable[..., Any]:
    """Runs Prepare Face for a model as `mini`, in pictures of 128 pixels; gives the whole output."""

    def call(images: torch.Tensor, **inputs: Any) -> Any:
        info = replace(loaded.model.info, preset="mini", resolution=128)
        return nodes.EADNetPrepare.PREPARE_CLASS_CLONE({}).EXECUTE_NORMALIZED(
            model=replace(loaded.model, info=info),
            vae=loaded.vae,
            images=images,
            frame_count=2,
            mask_region="auto",
            **inputs,
        )

    return call


@pytest.fixture
def shown(host: Any, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The pictures that a node shows while it works."""
    pictures: list[np.ndarray] = []
    monkeypatch.setattr(host, "show_picture", lambda picture, node_id: pictures.append(picture))
    return pictures


@pytest.mark.slow
def test_the_crop_that_will_be_animated_is_shown(prepared: Any, portrait: torch.Tensor) -> None:
    output = prepared(portrait)
    (image,) = output.ui["images"]
    assert image["type"] == "temp" and image["filename"].endswith(".png")


@pytest.mark.slow
def test_a_cut_off_head_is_refused_with_its_crop_and_the_numbers_of_the_face(
    prepared: Any, portrait: torch.Tensor, shown: list[np.ndarray], input_error: type[Exception]
) -> None:
    tall = torch.cat([portrait, portrait[:, -1:].expand(-1, 110, -1, -1)], dim=1)
    with pytest.raises(input_error, match=r"too high.*'\d+, \d+, \d+, \d+' entered by hand") as refused:
        prepared(tall)
    (crop,) = shown
    assert crop.shape == (128, 128, 3)
    assert "Track Face" in str(refused.value)
    assert prepared(tall, check_face=False).args, "on the user's own word it goes on"


@pytest.mark.parametrize("kind", some(1, ["noise", "grey"]))
def test_nothing_is_generated_where_there_is_no_face(
    prepared: Any, shown: list[np.ndarray], input_error: type[Exception], kind: str
) -> None:
    picture = torch.rand(1, 150, 200, 3) if kind == "noise" else torch.full((1, 150, 200, 3), 0.5)
    with pytest.raises(input_error, match="No face was found"):
        prepared(picture)
    assert len(shown) == 1


@pytest.mark.slow
def test_render_video_looks_too_unless_the_face_was_tracked(
    nodes: Any,
    run: Run,
    loaded: Any,
    speech: Any,
    portrait: torch.Tensor,
    shown: list[np.ndarray],
    input_error: type[Exception],
) -> None:
    from tests.nodes.test_render import SETTINGS

    info = replace(loaded.model.info, resolution=64)
    parts = {
        "model": replace(loaded.model, info=info),
        "vae": loaded.vae,
        "audio_encoder": loaded.audio_encoder,
    }
    grey = torch.full((1, 100, 100, 3), 0.5)
    with pytest.raises(input_error, match="No face was found"):
        run(nodes.EADNetRenderVideo, **SETTINGS, **parts, source=grey, audio=speech(0.1))
    values = {
        name: spec[1].get("default") for name, spec in nodes.EADNetFaceTrack.INPUT_TYPES()["required"].items()
    }
    values |= {"images": grey, "detector": "manual", "manual": "20, 20, 80, 80", "model": parts["model"]}
    track, *_ = run(nodes.EADNetFaceTrack, **values)
    (video,) = run(nodes.EADNetRenderVideo, **SETTINGS, **parts, source=grey, audio=speech(0.1), track=track)
    assert Path(video.get_stream_source()).is_file()


@pytest.mark.slow
def test_the_photograph_note_is_in_the_node(
    nodes: Any, loaded: Any, submodule: Any, prepared: Any, portrait: torch.Tensor, monkeypatch: Any
) -> None:
    module = submodule("eadnet.rendering.photograph")
    for photograph in (True, False):
        monkeypatch.setattr(module, "is_photograph", lambda *_, answer=photograph: answer)
        output = prepared(portrait)
        shown = output.ui if isinstance(output.ui, dict) else output.ui.as_dict()
        assert "images" in shown and ("text" in shown) == photograph
        if photograph:
            assert "looks like a photograph" in shown["text"][0]


def test_frames_without_a_face_are_named_in_the_node(
    nodes: Any, submodule: Any, loaded: Any, monkeypatch: Any
) -> None:
    face = submodule("eadnet.faces.detectors.manual").parse_face("4, 4, 36, 36")
    answers = iter([[face], [], [], [face]])
    monkeypatch.setattr(
        submodule("nodes.faces"), "_finder", lambda *_: SimpleNamespace(detect=lambda frame: next(answers))
    )
    values = {
        name: spec[1].get("default") for name, spec in nodes.EADNetFaceTrack.INPUT_TYPES()["required"].items()
    }
    values |= {"images": torch.rand(4, 40, 40, 3), "missing_frame_fallback": "empty", "model": loaded.model}
    output = nodes.EADNetFaceTrack.PREPARE_CLASS_CLONE({}).EXECUTE_NORMALIZED(**values)
    assert "no face in 2 of 4 frames" in output.ui["text"][0] and "1-2" in output.ui["text"][0]
