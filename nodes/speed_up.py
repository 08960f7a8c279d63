"""Fewer evaluations of the network: what a model carries to whatever samples with it."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.latest import io

from ..eadnet.sampling import MODES, Savings
from .checks import checked
from .node import Node
from .types import DiffusionModel, Model, schema


class EADNetSpeedUp(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetSpeedUp",
            display_name="EAD-Net Speed Up",
            description="Leaves out evaluations of the network: context windows that move instead of "
            "overlapping, deep features cached between steps, cfg in some steps only. For EAD-Net Lip Sync "
            "Sampler, Render Video and Expression from Speech.",
            search_aliases=["faster", "cache", "deepcache", "guidance interval", "context windows"],
            inputs=[
                Model.Input("model", tooltip="From EAD-Net Load Checkpoint or EAD-Net Load LatentSync."),
                io.Combo.Input(
                    "window_mode",
                    options=list(MODES),
                    default=MODES[1],
                    tooltip="overlap blends neighbouring windows. moving has no overlap: borders differ from "
                    "step to step instead, which takes a quarter less time.",
                ),
                io.Int.Input(
                    "cache_interval",
                    default=1,
                    min=1,
                    max=20,
                    tooltip="Runs the network's deep layers at every n-th step only. 1 is every step; 2 or 3 "
                    "halve the time where there are 10 steps or more. In Render Video, window_mode moving "
                    "needs less memory for it.",
                ),
                io.Float.Input(
                    "guidance_start",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Share of the steps after which cfg begins. Before, only one evaluation is made.",
                ),
                io.Float.Input(
                    "guidance_end",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Share of the steps after which cfg ends. After it, only one evaluation is made.",
                ),
                io.Int.Input(
                    "guidance_every",
                    default=1,
                    min=1,
                    max=20,
                    tooltip="Evaluates what cfg adds at every n-th step, and adds it again at those between.",
                ),
            ],
            outputs=[Model.Output(display_name="model", tooltip="The same model, with these savings.")],
        )

    @classmethod
    @checked
    def execute(
        cls,
        model: DiffusionModel,
        window_mode: str,
        cache_interval: int,
        guidance_start: float,
        guidance_end: float,
        guidance_every: int,
    ) -> io.NodeOutput:
        savings = Savings(cache_interval, guidance_start, guidance_end, guidance_every)
        return io.NodeOutput(replace(model, window_mode=window_mode, savings=savings))
