"""IMAGE and MASK as other packs send them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

MASK = torch.tensor([[[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]])
PICTURE = torch.rand(1, 2, 3, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def sockets(submodule: Callable[[str], Any]) -> Any:
    return submodule("nodes.sockets")


@pytest.mark.parametrize(
    "sent",
    [MASK, MASK[0], MASK[:, None], MASK[..., None], MASK.numpy(), MASK.bool(), MASK.half(), MASK.long(),
     (MASK * 255).to(torch.uint8), MASK.tolist(), MASK * 1.0001 - 0.00005],
)  # fmt: skip
def test_a_mask_is_the_same_however_it_is_sent(sockets: Any, sent: Any) -> None:
    made = sockets.mask_of(sent)
    assert made.dtype == torch.float32 and made.shape == (1, 2, 3)
    assert torch.allclose(made, MASK, atol=1e-4)


@pytest.mark.parametrize("sent", [PICTURE, PICTURE[0], PICTURE.numpy(), PICTURE.numpy()[0]])
def test_a_picture_is_the_same_however_it_is_sent(sockets: Any, sent: Any) -> None:
    assert torch.equal(sockets.image_of(sent), PICTURE)


@pytest.mark.parametrize(
    "sent",
    [None, "path", {}, [[1], [1, 2]], torch.zeros(5), torch.zeros(0, 4, 4), torch.full((1, 2, 3), torch.nan),
     torch.zeros(2, 2, 2, 2, 2), torch.zeros(1, 2, 3, dtype=torch.complex64)],
    ids=str,
)  # fmt: skip
def test_what_is_neither_is_refused_by_name(sockets: Any, input_error: type[Exception], sent: Any) -> None:
    with pytest.raises(input_error, match="The region input"):
        sockets.mask_of(sent, "region")
    with pytest.raises(input_error, match="The region input"):
        sockets.image_of(sent, "region")


def test_a_mask_of_another_size_is_called_a_mask(
    nodes: Any, run: Callable[..., Any], input_error: type[Exception]
) -> None:
    defaults = {
        part.id: part.default
        for part in nodes.EADNetFaceTrack.define_schema().inputs
        if hasattr(part, "default")
    }
    values = {name: value for name, value in defaults.items() if value is not None}
    frames = torch.rand(1, 80, 100, 3)
    by_hand = {**values, "images": frames, "detector": "manual", "manual": "20, 10, 60, 50"}
    with pytest.raises(input_error, match="mask input is 64 x 64 pixels and the frames are 100 x 80"):
        run(nodes.EADNetFaceTrack, **{**by_hand, "face": "mask", "mask": torch.ones(1, 64, 64)})
    track, crops, *_ = run(nodes.EADNetFaceTrack, **by_hand)
    with pytest.raises(input_error, match="mask input is 64 x 64 pixels and the frames are 100 x 80"):
        run(
            nodes.EADNetFaceComposite,
            images=frames,
            faces=crops,
            track=track,
            mask_region="auto",
            feather=0.05,
            colour_match=0.5,
            mask=torch.ones(1, 64, 64),
        )


def test_cancel_is_looked_at_before_each_picture_that_is_checked(
    sockets: Any, host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([None, None])

    def look() -> None:
        if next(looks, "pressed") == "pressed":
            raise InterruptedError

    monkeypatch.setattr(host, "check_cancelled", look)
    pictures = torch.rand(4, 8, 8, 3)
    pictures[2] = torch.nan  # it is not reached
    with pytest.raises(InterruptedError):
        sockets.image_of(pictures)


SAMPLES = torch.randn(5, 4, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "sent",
    [SAMPLES, SAMPLES.numpy(), SAMPLES.double(), SAMPLES.clone().requires_grad_(), list(SAMPLES),
     SAMPLES.permute(3, 0, 1, 2).contiguous().permute(1, 2, 3, 0)],
)  # fmt: skip
def test_a_latent_is_the_same_whatever_holds_it(sockets: Any, sent: Any) -> None:
    made = sockets.latents_of({"samples": sent, "batch_index": [0]})
    assert torch.equal(made.float(), SAMPLES) and not made.requires_grad


@pytest.mark.parametrize(
    "sent",
    [None, {}, {"samples": None}, {"samples": "x"}, SAMPLES, {"samples": SAMPLES.long()},
     {"samples": SAMPLES[0]},
     {"samples": SAMPLES[:0]}, {"samples": SAMPLES[:, :3]}, {"samples": SAMPLES[None]},
     {"samples": SAMPLES.to("meta")}, {"samples": torch.cat([SAMPLES, torch.full((1, 4, 4, 4), torch.nan)])}],
    ids=range(12),
)  # fmt: skip
@pytest.mark.parametrize("node", ["TFRMSmoother", "Sampler", "Conditioning"])
def test_what_is_no_latent_is_refused_by_name(
    nodes: Any, run: Callable[..., Any], loaded: Any, input_error: type[Exception], node: str, sent: Any
) -> None:
    about: dict[str, dict[str, Any]] = {
        "TFRMSmoother": {"tfrm": loaded.tfrm, "samples": sent, "strength": 1.0, "top_k": 0},
        "Sampler": {
            **{"model": loaded.model, "audio": None, "latents": sent, "seed": 0, "steps": 1, "overlap": 2},
            **{"audio_guidance": 1.0, "emotion_guidance": 1.0, "scheduler": "ddim", "window": 8},
        },
        "Conditioning": {"model": loaded.model, "audio": None, "latents": sent},
    }
    with pytest.raises(input_error, match="samples" if node == "TFRMSmoother" else "latents"):
        run(getattr(nodes, f"EADNet{node}"), **about[node])
