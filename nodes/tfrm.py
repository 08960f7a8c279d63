"""Reasoning over the graph of frames."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..eadnet.media.plots import matrix_picture
from . import host
from .types import GraphSmoother, Smoother, schema


class EADNetTFRMSmoother(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetTFRMSmoother",
            display_name="EAD-Net TFRM Smoother",
            description="Lets every frame learn from the frames that resemble it (temporal frame graph "
            "reasoning), and shows who learned from whom.",
            search_aliases=["temporal smoothing", "flicker", "frame graph", "consistency"],
            inputs=[
                Smoother.Input("tfrm", tooltip="From EAD-Net Load Checkpoint."),
                io.Latent.Input("samples", tooltip="The generated frames, from EAD-Net Sampler."),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="0 leaves the frames as they are, 1 applies the whole correction.",
                ),
                io.Int.Input(
                    "top_k",
                    default=0,
                    min=0,
                    max=256,
                    tooltip="How many frames each frame may learn from. 0 is the number the module was "
                    "trained with.",
                ),
            ],
            outputs=[
                io.Latent.Output(display_name="latent", tooltip="The smoothed frames, for VAE Decode."),
                io.Image.Output(
                    display_name="frame_graph",
                    tooltip="The graph as a picture: row i shows which frames (columns) frame i learned "
                    "from.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, tfrm: GraphSmoother, samples: dict[str, Any], strength: float, top_k: int
    ) -> io.NodeOutput:
        latents = samples["samples"]
        network = tfrm.network.use(lambda _: host.tfrm_memory(latents.shape))
        parameter = next(network.parameters())
        scaled = (latents * tfrm.latent_scale).to(parameter.device, parameter.dtype)
        with torch.no_grad():
            smoothed, graph = network(scaled.transpose(0, 1)[None], strength, top_k or None)
        result = (smoothed[0].transpose(0, 1).float() / tfrm.latent_scale).to(host.result_device())
        picture = torch.from_numpy(matrix_picture(graph[0].float().cpu().numpy()))
        return io.NodeOutput({**samples, "samples": result}, picture[None])
