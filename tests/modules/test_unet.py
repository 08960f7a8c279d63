"""The denoiser: LatentSync number by number, and EAD-Net's parts as identities until they are trained."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from eadnet.errors import InputError
from eadnet.modules.blocks import checkpoint_stages
from eadnet.modules.unet import EADUNet
from tests.golden_weights import array, fill, load_golden
from tests.quick import some

AUDIO_DIM, EMOTION_DIM = 12, 20
EAD: dict[str, Any] = {
    "emotion_attention": True,
    "emotion_dim": EMOTION_DIM,
    "emotion_global": True,
    "stda": {"strip": 2, "heads": 3},
}


def small_config(**changes: Any) -> dict[str, Any]:
    config = load_golden("unet_tiny.config.json")
    config.update(
        block_out_channels=[16, 24, 32],
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=2,
        cross_attention_dim=AUDIO_DIM,
        down_block_types=["CrossAttnDownBlock3D", "CrossAttnDownBlock3D", "DownBlock3D"],
        up_block_types=["UpBlock3D", "CrossAttnUpBlock3D", "CrossAttnUpBlock3D"],
        motion_module_resolutions=[1, 2],
    )
    return {**config, **changes}


def inputs(frames: int = 3, height: int = 8, width: int = 8, batch: int = 2) -> tuple[Tensor, Tensor]:
    return array("x", batch, 13, frames, height, width), array("audio", batch, frames, 4, AUDIO_DIM)


def pretrained(**ead: Any) -> EADUNet:
    """EAD parts as initialised, everything else with reference weights, as after loading LatentSync's."""
    plain = fill(EADUNet.from_config(small_config()), "small")
    unet = EADUNet.from_config(small_config(ead=ead))
    missing, unexpected = unet.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected and all(is_ead(key) for key in missing)
    return unet.eval()


def is_ead(key: str) -> bool:
    return any(part in key for part in ("emotion_attn.", "emotion_embedding.", "stda."))


def perturb_zeros(unet: EADUNet) -> None:
    """Move the zero-initialised tensors off zero, as the first training steps do."""
    with torch.no_grad():
        for key, parameter in unet.named_parameters():
            if is_ead(key) and not parameter.any():
                parameter.copy_(0.1 * array(key, *parameter.shape))


# --- LatentSync ----------------------------------------------------------------------------------------


def test_output_equals_the_published_network() -> None:
    unet = fill(EADUNet.from_config(load_golden("unet_tiny.config.json")), "unet-tiny")
    golden = load_golden("unet_tiny.safetensors")
    with torch.no_grad():
        out = unet(golden["sample"], golden["timestep"], golden["audio"])
    error = (out - golden["output"]).norm() / golden["output"].norm()
    assert error < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["unet_tiny", "latentsync_1.5_unet"])
def test_every_key_and_shape_of_the_published_checkpoint(name: str) -> None:
    with torch.device("meta"):
        unet = EADUNet.from_config(load_golden(f"{name}.config.json"))
    shapes = {key: list(value.shape) for key, value in unet.state_dict().items()}
    assert shapes == load_golden(f"{name}.keys.json")


def test_a_number_a_scalar_and_one_timestep_per_clip_agree() -> None:
    unet = fill(EADUNet.from_config(small_config()), "small")
    with torch.no_grad():
        outputs = [
            unet(inputs()[0], t, inputs()[1]) for t in (437, torch.tensor(437), torch.tensor([437, 437]))
        ]
    assert torch.equal(outputs[0], outputs[1]) and torch.equal(outputs[0], outputs[2])


def test_each_clip_of_a_batch_has_its_own_timestep_and_result() -> None:
    unet = fill(EADUNet.from_config(small_config()), "small")
    x, audio = inputs()
    with torch.no_grad():
        together = unet(x, torch.tensor([10, 900]), audio)
        alone = torch.cat([unet(x[:1], 10, audio[:1]), unet(x[1:], 900, audio[1:])])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_audio_reaches_the_output() -> None:
    unet = fill(EADUNet.from_config(small_config()), "small")
    x, audio = inputs()
    with torch.no_grad():
        assert not torch.allclose(unet(x, 5, audio), unet(x, 5, torch.zeros_like(audio)), atol=1e-3)


@pytest.mark.parametrize(
    "size", some(2, [((1, 8, 8),), ((3, 9, 13),), ((2, 1, 1),), ((5, 4, 6),), ((24, 4, 4),)])
)
def test_any_number_of_frames_and_any_size(size: tuple[int, int, int]) -> None:
    unet = EADUNet.from_config(small_config(ead=EAD))
    x, audio = inputs(*size, batch=1)
    with torch.no_grad():
        out = unet(x, 5, audio, array("emotion", 1, 3, EMOTION_DIM))
    assert out.shape == (1, 4, *size) and out.isfinite().all()


def test_channel_numbers_the_norm_groups_do_not_divide() -> None:
    unet = EADUNet.from_config(small_config(block_out_channels=[20, 28, 36], norm_num_groups=32))
    x, audio = inputs(batch=1)
    with torch.no_grad():
        assert unet(x, 5, audio).isfinite().all()


def test_configuration_survives_and_is_independent_of_the_callers() -> None:
    config = small_config(ead=EAD)
    unet = EADUNet.from_config(config)
    expected = copy.deepcopy(config)
    config["motion_module_kwargs"]["num_attention_heads"] = 99
    assert unet.config == expected


# --- EAD-Net's parts ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "ead",
    [
        EAD,
        {"emotion_attention": True, "emotion_dim": EMOTION_DIM},
        {"emotion_global": True, "emotion_dim": EMOTION_DIM},
        {"stda": {"heads": 3}},
    ],
    ids=["all", "emotion attention", "global emotion", "stda"],
)
@pytest.mark.parametrize("size", [(3, 8, 8), (1, 8, 8), (3, 7, 5)])
def test_untrained_parts_change_no_bit(ead: dict[str, Any], size: tuple[int, int, int]) -> None:
    x, audio = inputs(*size)
    plain = fill(EADUNet.from_config(small_config()), "small")
    unet = pretrained(**ead)
    emotions: list[Tensor | None] = [None]
    if unet.emotion_dim:
        emotions += [array("e", 2, 5, EMOTION_DIM), array("e", 2, size[0], 5, EMOTION_DIM)]
    with torch.no_grad():
        expected = plain(x, 437, audio)
        for emotion in emotions:
            assert torch.equal(unet(x, 437, audio, emotion), expected)


@pytest.mark.parametrize(
    ("off", "absent"),
    some(
        1,
        [
            ({"emotion_attention": False}, "emotion_attn."),
            ({"emotion_global": False}, "emotion_embedding."),
            ({"stda": None}, "stda."),
        ],
    ),
)
def test_each_part_can_be_left_out(off: dict[str, Any], absent: str) -> None:
    with torch.device("meta"):
        full = EADUNet.from_config(small_config(ead=EAD)).state_dict().keys()
        ablated = EADUNet.from_config(small_config(ead={**EAD, **off})).state_dict().keys()
    assert full - ablated == {key for key in full if absent in key} != set()


def test_stda_closes_every_stage_once() -> None:
    with torch.device("meta"):
        unet = EADUNet.from_config(small_config(ead=EAD))
    places = {key.split("stda.")[0] for key in unet.state_dict() if "stda." in key}
    stages = [f"{way}_blocks.{level}." for way in ("down", "up") for level in range(3)]
    assert places == {*stages, "mid_block."}


@pytest.mark.slow
@pytest.mark.parametrize(
    "ead", [EAD, {"stda": {"heads": 3}}, {"emotion_global": True, "emotion_dim": EMOTION_DIM}]
)
def test_trained_parts_change_the_output(ead: dict[str, Any]) -> None:
    x, audio = inputs()
    unet = pretrained(**ead)
    emotion = array("e", 2, 5, EMOTION_DIM) if unet.emotion_dim else None
    with torch.no_grad():
        before = unet(x, 437, audio, emotion)
        perturb_zeros(unet)
        assert not torch.allclose(unet(x, 437, audio, emotion), before, atol=1e-4)


@pytest.mark.slow
def test_gradients_reach_every_ead_parameter() -> None:
    unet = pretrained(**EAD)
    perturb_zeros(unet)
    unet(*insert(5, inputs()), array("e", 2, 5, EMOTION_DIM)).square().sum().backward()
    without = [k for k, p in unet.named_parameters() if is_ead(k) and (p.grad is None or not p.grad.any())]
    assert without == []


def insert(timestep: int, pair: tuple[Tensor, Tensor]) -> tuple[Tensor, int, Tensor]:
    return pair[0], timestep, pair[1]


@pytest.mark.slow
def test_an_emotion_repeated_on_every_frame_equals_one_for_the_clip() -> None:
    unet = pretrained(**EAD)
    perturb_zeros(unet)
    x, audio = inputs()
    emotion = array("e", 2, 5, EMOTION_DIM)
    with torch.no_grad():
        clip = unet(x, 5, audio, emotion)
        frames = unet(x, 5, audio, emotion[:, None].expand(-1, 3, -1, -1))
    torch.testing.assert_close(clip, frames, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("part", some(1, ["emotion_attention", "emotion_global"]))
def test_an_emotion_that_changes_over_time_differs_from_a_constant_one(part: str) -> None:
    unet = pretrained(**{part: True}, emotion_dim=EMOTION_DIM)
    perturb_zeros(unet)
    x, audio = inputs()
    emotion = array("e", 2, 3, 5, EMOTION_DIM)
    with torch.no_grad():
        changing = unet(x, 5, audio, emotion)
        constant = unet(x, 5, audio, emotion[:, 0])
    assert not torch.allclose(changing, constant, atol=1e-4)


@pytest.mark.slow
def test_half_precision_weights_take_float_inputs() -> None:
    unet = pretrained(**EAD).bfloat16()
    x, audio = inputs(batch=1)
    with torch.no_grad():
        out = unet(x, 5, audio, array("e", 1, 5, EMOTION_DIM))
    assert out.dtype is torch.bfloat16 and out.isfinite().all()


# --- Bad input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "audio", "emotion", "names"),
    some(
        3,
        [
            ((1, 13, 3, 8, 8), (1, 3, 4, 384), None, ["12", "384"]),
            ((1, 13, 3, 8, 8), (1, 2, 4, 12), None, ["frames 3", "[1, 2, 4, 12]"]),
            ((1, 4, 3, 8, 8), (1, 3, 4, 12), None, ["13", "[1, 4, 3, 8, 8]"]),
            ((1, 13, 25, 4, 4), (1, 25, 4, 12), None, ["24 frames", "25"]),
            ((1, 13, 3, 8, 8), (1, 3, 4, 12), (1, 5, 768), ["20", "768"]),
            ((1, 13, 3, 8, 8), (1, 3, 4, 12), (1, 2, 5, 20), ["frames 3", "[1, 2, 5, 20]"]),
        ],
    ),
    ids=["audio width", "audio frames", "channels", "too many frames", "emotion width", "emotion frames"],
)
def test_wrong_shapes_are_named(
    x: tuple[int, ...], audio: tuple[int, ...], emotion: tuple[int, ...] | None, names: list[str]
) -> None:
    unet = EADUNet.from_config(small_config(ead=EAD))
    with pytest.raises(InputError) as error:
        unet(torch.zeros(x), 5, torch.zeros(audio), None if emotion is None else torch.zeros(emotion))
    assert all(name in str(error.value) for name in names)


def test_a_model_without_emotion_parts_refuses_an_emotion() -> None:
    unet = EADUNet.from_config(small_config())
    with pytest.raises(InputError, match="no emotion attention"):
        unet(*insert(5, inputs()), torch.zeros(2, 5, EMOTION_DIM))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"act_fn": "gelu"}, "act_fn"),
        ({"ead": {"emotion_attn": True}}, "emotion_attn"),
        ({"down_block_types": ["CrossAttnDownBlock3D"]}, "down_block_types"),
        ({"up_block_types": ["UpBlock2D"] * 3}, "up_block_types"),
    ],
)
def test_unsupported_settings_are_named(change: dict[str, Any], name: str) -> None:
    with pytest.raises(InputError, match=name):
        EADUNet.from_config(small_config(**change))


@pytest.mark.slow
def test_checkpointing_gives_the_same_gradients() -> None:
    unet = pretrained(**EAD)
    perturb_zeros(unet)
    sample, audio = inputs(batch=1)
    emotion = array("emotion", 1, 5, EMOTION_DIM)

    def gradients(checkpointed: bool) -> dict[str, Tensor]:
        checkpoint_stages(unet, checkpointed)
        unet.zero_grad(set_to_none=True)
        unet(sample, 300, audio, emotion).square().mean().backward()
        return {key: value.grad for key, value in unet.named_parameters() if value.grad is not None}

    plain, again = gradients(False), gradients(True)
    assert plain.keys() == again.keys() == dict(unet.named_parameters()).keys()
    assert all(torch.equal(plain[key], again[key]) for key in plain)


@pytest.mark.slow
def test_checkpointing_keeps_less_for_the_way_back() -> None:
    unet, (sample, audio) = pretrained(**EAD), inputs(batch=1)

    def kept(checkpointed: bool) -> int:
        checkpoint_stages(unet, checkpointed)
        sizes: list[int] = []

        def keep(tensor: Tensor) -> Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            unet(sample, 300, audio)
        return sum(sizes)

    assert kept(True) < kept(False) / 2
