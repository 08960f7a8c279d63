"""TFRM: temporal smoothing over a learned graph of frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from comfy_api.latest import io
from numpy.typing import NDArray
from torch import Tensor

from ..eadnet.media.plots import band_picture, matrix_picture
from ..eadnet.modules.tfrm import graph_of, smooth_stream
from ..eadnet.rendering.memory import tfrm_memory
from . import host
from .checks import checked
from .node import Node
from .sockets import latents_of
from .types import GraphSmoother, Smoother, schema

_WHOLE = 200  # frames up to which the graph is shown whole


class EADNetTFRMSmoother(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetTFRMSmoother",
            display_name="EAD-Net TFRM Smoother",
            description="Reduces flicker: every frame takes information from similar frames (TFRM, temporal "
            "frame graph reasoning). Also plots the graph.",
            search_aliases=["temporal smoothing", "flicker", "frame graph", "consistency"],
            inputs=[
                Smoother.Input("tfrm", tooltip="The TFRM, from EAD-Net Load Checkpoint."),
                io.Latent.Input("samples", tooltip="The generated frames, from EAD-Net Lip Sync Sampler."),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="0 leaves the frames unchanged, 1 applies the full correction.",
                ),
                io.Int.Input(
                    "top_k",
                    default=0,
                    min=0,
                    max=256,
                    tooltip="Largest number of frames that each frame takes information from. 0 is the "
                    "number used in training.",
                ),
            ],
            outputs=[
                io.Latent.Output(display_name="latent", tooltip="The smoothed frames, for VAE Decode."),
                io.Image.Output(
                    display_name="frame_graph",
                    tooltip="Plot of the graph: row i shows the weight of every frame (column) for frame i. "
                    "Of long videos, only of the frames around it.",
                ),
            ],
        )

    @classmethod
    @checked
    def execute(
        cls, tfrm: GraphSmoother, samples: dict[str, Any], strength: float, top_k: int
    ) -> io.NodeOutput:
        latents = latents_of(samples)
        network = tfrm.network.use(lambda module: tfrm_memory(module, latents.shape))
        parameter = next(network.parameters())
        scaled = (latents * tfrm.latent_scale).to(parameter.device, parameter.dtype)
        pieces, edges = [], []
        with host.cancellable(network):
            for piece, learned in smooth_stream(
                network, [scaled], len(scaled), strength=strength, top_k=top_k or None
            ):
                host.check_cancelled()
                pieces.append((piece.float() / tfrm.latent_scale).to(host.result_device()))
                edges.append(learned.float().cpu())
        picture = torch.from_numpy(_picture(torch.cat(edges)))
        return io.NodeOutput({**samples, "samples": torch.cat(pieces)}, picture[None])


def _picture(edges: Tensor) -> NDArray[np.float32]:
    """The whole graph of a short clip, the band around its diagonal of a long one."""
    if len(edges) <= _WHOLE:
        return matrix_picture(graph_of(edges).numpy())
    return band_picture(edges.numpy())
