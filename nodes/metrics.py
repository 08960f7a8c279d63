"""Nodes that score a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ..eadnet.faces.crops import centre_square, without_alpha
from ..eadnet.media.audio import moved, to_mono_16k
from ..eadnet.media.clips import Frames, LazyFrames, changed
from ..eadnet.metrics.clip_scores import clip_picture, clip_scores
from ..eadnet.metrics.face_crops import face_crops, syncnet_track
from ..eadnet.metrics.sync import FPS, measure_sync
from ..eadnet.metrics.sync_picture import sync_picture
from . import host
from .checks import checked
from .node import Node
from .sockets import audio_of, image_of
from .types import FaceTrackSocket, SyncNet, TrackAndRegion, schema

THEMES = ["dark", "light"]
_THEME = "Colours of the plot, to match ComfyUI's dark or light theme."


def _clip(images: Tensor, name: str) -> Frames:
    """The IMAGE [T, H, W, C] at the input ``name`` as [T, 3, H, W] in 0..1, converted piece by piece; Cancel
    is answered before each.
    """
    images = image_of(images, name)

    def read(numbers: Sequence[int]) -> Tensor:
        host.check_cancelled()
        piece = images[numbers[0] : numbers[-1] + 1]
        return without_alpha(piece.float().clamp(0, 1)).movedim(-1, 1)

    return LazyFrames((len(images), 3, *images.shape[1:3]), read)


class EADNetSyncScore(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetSyncScore",
            display_name="EAD-Net Lip Sync Score",
            description="Measures lip sync with a SyncNet (LSE-C, LSE-D and the AV offset in frames), and "
            "outputs the audio shifted into sync.",
            search_aliases=["lipsync", "LSE-C", "LSE-D", "SyncNet", "AV offset", "fix audio delay"],
            inputs=[
                SyncNet.Input("syncnet", tooltip="The SyncNet, from EAD-Net Load Checkpoint."),
                io.Image.Input(
                    "images",
                    tooltip="Frames of one face. For mini: the whole head in a square. Other shapes are "
                    "cropped to the centred square.",
                ),
                io.Audio.Input("audio", tooltip="The audio of these frames, starting at the same time."),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=1.0,
                    max=240.0,
                    step=0.001,
                    tooltip="Frames per second of the images. Other rates are resampled to 25.",
                ),
                io.Float.Input(
                    "min_confidence",
                    default=0.0,
                    min=0.0,
                    max=100.0,
                    step=0.01,
                    tooltip="The audio is shifted only if the confidence (LSE-C) is above this. 0 uses the "
                    "SyncNet's own threshold, and never shifts clips under 2 s.",
                ),
                io.Combo.Input("theme", options=THEMES, default="dark", tooltip=_THEME),
                FaceTrackSocket.Input(
                    "track",
                    optional=True,
                    tooltip="From EAD-Net Track Face, for the same frames: its face is cropped as the "
                    "SyncNet was trained. Unconnected: the centred square is used.",
                ),
            ],
            outputs=[
                io.Float.Output(
                    display_name="confidence",
                    tooltip="LSE-C: how clearly one offset stands out. Higher is better; compare only "
                    "scores of the same SyncNet.",
                ),
                io.Float.Output(
                    display_name="distance",
                    tooltip="LSE-D: distance of lips and audio at the best offset. Lower is better.",
                ),
                io.Int.Output(
                    display_name="offset",
                    tooltip="AV offset in frames of 1/25 s: positive if the audio is early, negative if "
                    "late.",
                ),
                io.Image.Output(
                    display_name="plot",
                    tooltip="Plot of distance by offset and over time, for Preview Image.",
                ),
                io.String.Output(display_name="report", tooltip="All scores as text, for Preview Any."),
                io.Audio.Output(
                    display_name="shifted_audio",
                    tooltip="The audio shifted by the offset, of the same length; unchanged where the "
                    "confidence is too low.",
                ),
            ],
        )

    @classmethod
    @checked
    def execute(
        cls,
        syncnet: Any,
        images: Tensor,
        audio: Any,
        fps: float,
        min_confidence: float,
        theme: str,
        track: TrackAndRegion | None = None,
    ) -> io.NodeOutput:
        recording = audio_of(audio, advice="connect the audio of the frames")
        clip = _clip(images, "images")
        sound, network = to_mono_16k(recording.waveform, recording.rate), syncnet.use()
        frames: Frames = changed(clip, centre_square)
        if track is not None:
            frames = face_crops(clip, syncnet_track(track.track, network.name))
        with host.cancellable(network):
            measured = measure_sync(network, frames, sound.to(next(network.parameters()).device), fps)
        sure = measured.score.confidence > min_confidence if min_confidence else measured.sure
        shift = measured.score.offset / FPS if sure else 0.0
        report = "\n".join([measured.text(), *recording.notes])
        if measured.score.offset:
            report += (
                f"\nThe audio was shifted by {shift:+.2f} s." if shift else "\nThe audio was not shifted."
            )
        return io.NodeOutput(
            measured.score.confidence,
            measured.score.distance,
            measured.score.offset,
            torch.from_numpy(sync_picture(measured, theme))[None],
            report,
            {
                "waveform": moved(recording.waveform, recording.rate, shift)[None],
                "sample_rate": recording.rate,
            },
        )


class EADNetVideoMetrics(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetVideoMetrics",
            display_name="EAD-Net Video Metrics",
            description="Compares generated frames with reference frames: PSNR, SSIM, flicker and warping "
            "error.",
            search_aliases=["PSNR", "SSIM", "flicker", "compare videos", "quality"],
            inputs=[
                io.Image.Input("generated", tooltip="The frames to score."),
                io.Image.Input(
                    "reference",
                    tooltip="The ground-truth frames, of the same size. Extra frames are ignored.",
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=1.0,
                    max=240.0,
                    step=0.001,
                    tooltip="Frames per second, for the time axis of the plot.",
                ),
                io.Combo.Input("theme", options=THEMES, default="dark", tooltip=_THEME),
            ],
            outputs=[
                io.String.Output(display_name="report", tooltip="All scores as text, for Preview Any."),
                io.Image.Output(display_name="plot", tooltip="PSNR and SSIM over time, for Preview Image."),
                io.Float.Output(display_name="psnr", tooltip="Mean PSNR in dB. Higher is closer."),
                io.Float.Output(display_name="ssim", tooltip="Mean SSIM, at most 1. Higher is closer."),
            ],
        )

    @classmethod
    @checked
    def execute(cls, generated: Tensor, reference: Tensor, fps: float, theme: str) -> io.NodeOutput:
        scores = clip_scores(_clip(generated, "generated"), _clip(reference, "reference"))
        return io.NodeOutput(
            scores.report(),
            torch.from_numpy(clip_picture(scores, fps, theme))[None],
            float(scores.psnr.mean()),
            float(scores.ssim.mean()),
        )
