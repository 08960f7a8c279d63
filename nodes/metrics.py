"""Nodes that judge a result."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ..eadnet.errors import InputError
from ..eadnet.faces.crops import centre_square, check_pictures, without_alpha
from ..eadnet.media.audio import moved, to_mono_16k
from ..eadnet.media.clips import Frames
from ..eadnet.metrics.clip_scores import clip_picture, clip_scores
from ..eadnet.metrics.face_crops import face_crops, judge_track
from ..eadnet.metrics.sync import FPS, judge
from ..eadnet.metrics.sync_picture import sync_picture
from .checks import check_widgets
from .types import FaceTrackSocket, SyncNet, TrackAndRegion, schema

THEMES = ["dark", "light"]
_THEME = "Colours of the plot: as ComfyUI's dark or light palette."


def _clip(images: Tensor) -> Tensor:
    """IMAGE [T, H, W, C] as [T, 3, H, W] in 0..1."""
    check_pictures(images)
    return without_alpha(images.float().clamp(0, 1)).movedim(-1, 1)


class EADNetSyncScore(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetSyncScore",
            display_name="EAD-Net Sync Score",
            description="Tells how well lips and sound agree and by how many frames the sound is early or "
            "late, and gives the sound moved to where it fits.",
            search_aliases=["lip sync score", "LSE-C", "LSE-D", "SyncNet", "AV offset", "fix audio delay"],
            inputs=[
                SyncNet.Input("syncnet", tooltip="The judge, from EAD-Net Load Checkpoint."),
                io.Image.Input(
                    "images",
                    tooltip="Frames of one face. For mini: the whole head in a square, as EAD-Net makes it. "
                    "Of other shapes the centred square is judged.",
                ),
                io.Audio.Input("audio", tooltip="The sound that belongs to the frames, starting together."),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=1.0,
                    max=240.0,
                    step=0.001,
                    tooltip="Frames per second of the images. Other rates than 25 are read at 25.",
                ),
                io.Float.Input(
                    "min_confidence",
                    default=0.0,
                    min=0.0,
                    max=100.0,
                    step=0.01,
                    tooltip="The sound is moved only if the confidence is above this. 0 takes the network's "
                    "own mark, and moves nothing in clips under 2 s.",
                ),
                io.Combo.Input("theme", options=THEMES, default="dark", tooltip=_THEME),
                FaceTrackSocket.Input(
                    "track",
                    optional=True,
                    tooltip="From EAD-Net Track Face, for the same frames: its face is judged, framed as the "
                    "judge wants it. Unconnected: the centred square is the face.",
                ),
            ],
            outputs=[
                io.Float.Output(
                    display_name="confidence",
                    tooltip="LSE-C: how clearly one offset stands out. Higher is better; compare only within "
                    "one network.",
                ),
                io.Float.Output(
                    display_name="distance",
                    tooltip="LSE-D: distance of lips and sound at the best offset. Lower is better.",
                ),
                io.Int.Output(
                    display_name="offset",
                    tooltip="Frames of 1/25 s by which the sound is early; negative is late, 0 in sync.",
                ),
                io.Image.Output(display_name="plot", tooltip="The verdict as a picture, for Preview Image."),
                io.String.Output(display_name="report", tooltip="The verdict as text, for Preview Any."),
                io.Audio.Output(
                    display_name="shifted_audio",
                    tooltip="The sound moved by the offset, as long as before; untouched where the verdict "
                    "is not sure.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        syncnet: Any,
        images: Tensor,
        audio: dict[str, Any],
        fps: float,
        min_confidence: float,
        theme: str,
        track: TrackAndRegion | None = None,
    ) -> io.NodeOutput:
        check_widgets(cls, fps=fps, min_confidence=min_confidence, theme=theme)
        if not audio or "waveform" not in audio:
            raise InputError("The audio is missing: connect the sound that belongs to the frames.")
        waveform, rate = audio["waveform"], int(audio["sample_rate"])
        sound, network = to_mono_16k(waveform, rate), syncnet.use()
        frames: Frames = centre_square(_clip(images))
        if track is not None:
            frames = face_crops(_clip(images), judge_track(track.track, network.name))
        verdict = judge(network, frames, sound.to(next(network.parameters()).device), fps)
        sure = verdict.score.confidence > min_confidence if min_confidence else verdict.sure
        shift = verdict.score.offset / FPS if sure else 0.0
        report = verdict.report()
        if verdict.score.offset:
            report += f"\nThe sound was moved by {shift:+.2f} s." if shift else "\nThe sound was not moved."
        return io.NodeOutput(
            verdict.score.confidence,
            verdict.score.distance,
            verdict.score.offset,
            torch.from_numpy(sync_picture(verdict, theme))[None],
            report,
            {**audio, "waveform": moved(waveform, rate, shift)},
        )


class EADNetVideoMetrics(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetVideoMetrics",
            display_name="EAD-Net Video Metrics",
            description="Compares generated frames with reference frames: PSNR, SSIM, flicker and motion "
            "that does not add up.",
            search_aliases=["PSNR", "SSIM", "flicker", "compare videos", "quality"],
            inputs=[
                io.Image.Input("generated", tooltip="The frames to judge."),
                io.Image.Input(
                    "reference", tooltip="The true frames, of the same size. Extra frames are left out."
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=1.0,
                    max=240.0,
                    step=0.001,
                    tooltip="Frames per second, for the axis of the plot.",
                ),
                io.Combo.Input("theme", options=THEMES, default="dark", tooltip=_THEME),
            ],
            outputs=[
                io.String.Output(display_name="report", tooltip="Every number as text, for Preview Any."),
                io.Image.Output(display_name="plot", tooltip="PSNR and SSIM over time, for Preview Image."),
                io.Float.Output(display_name="psnr", tooltip="Mean PSNR in dB. Higher is closer."),
                io.Float.Output(display_name="ssim", tooltip="Mean SSIM. 1 is equal."),
            ],
        )

    @classmethod
    def execute(cls, generated: Tensor, reference: Tensor, fps: float, theme: str) -> io.NodeOutput:
        check_widgets(cls, fps=fps, theme=theme)
        scores = clip_scores(_clip(generated), _clip(reference))
        return io.NodeOutput(
            scores.report(),
            torch.from_numpy(clip_picture(scores, fps, theme))[None],
            float(scores.psnr.mean()),
            float(scores.ssim.mean()),
        )
