"""FID's Inception: torchvision's network with other pooling, and nothing else."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from eadnet.checkpoints import load_checkpoint
from eadnet.convert import convert_inception
from eadnet.errors import CheckpointError
from eadnet.modules.inception import Inception
from eadnet.published import detect

SLIM = {"slimmer": 16}


def published_file(target: Path) -> Inception:
    """A slim random network, converted as the published file would be."""
    torch.manual_seed(0)
    network = Inception(**SLIM)
    state = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    source = target.with_suffix(".pth")
    torch.save(state, source)
    convert_inception(source, target, config=SLIM)
    return network


def test_names_and_shapes_are_those_of_torchvisions_network() -> None:
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        theirs = models.Inception3(num_classes=1008, aux_logits=False, init_weights=False).state_dict()
        ours = Inception().state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


@pytest.mark.slow
def test_blocks_compute_what_torchvisions_do_but_for_the_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    inception = pytest.importorskip("torchvision.models.inception")
    from eadnet.modules import inception as ours

    monkeypatch.setattr(inception.F, "avg_pool2d", partial(F.avg_pool2d, count_include_pad=False))
    torch.manual_seed(1)
    n = ours.Widths(1)
    for mine, theirs, inputs in (
        (ours.BlockA(192, 32, n), inception.InceptionA(192, 32), 192),
        (ours.BlockB(288, n), inception.InceptionB(288), 288),
        (ours.BlockC(768, 128, n), inception.InceptionC(768, 128), 768),
        (ours.BlockD(768, n), inception.InceptionD(768), 768),
        (ours.BlockE(1280, n, largest=False), inception.InceptionE(1280), 1280),
    ):
        theirs.load_state_dict(mine.state_dict())
        x = torch.rand(1, inputs, 7, 7)
        torch.testing.assert_close(mine.eval()(x), theirs.eval()(x))


@pytest.mark.slow
def test_a_converted_file_gives_the_same_features(tmp_path: Path) -> None:
    network = published_file(tmp_path / "inception-fid.safetensors")
    assert detect(tmp_path / "inception-fid.pth").kind == "inception"
    loaded = load_checkpoint(tmp_path / "inception-fid.safetensors").component("inception")
    pictures = torch.rand(2, 3, 40, 30)
    features = network(pictures)
    assert features.shape == (2, 128) and features.std() > 0
    torch.testing.assert_close(loaded(pictures), features)


@pytest.mark.slow
def test_torchvisions_own_weights_are_refused(tmp_path: Path) -> None:
    state = Inception(**SLIM).state_dict()
    state["fc.weight"], state["fc.bias"] = state["fc.weight"][:1000], state["fc.bias"][:1000]
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="does not fit"):
        convert_inception(tmp_path / "other.pth", tmp_path / "x.safetensors", config=SLIM)
