"""Speech to tokens."""

from __future__ import annotations

import logging
from typing import Any

from comfy_api.latest import io

from ..eadnet.errors import InputError
from ..eadnet.media.audio import num_frames, to_mono_16k
from ..eadnet.media.silence import gated, quiet_tokens, speech_gate
from ..eadnet.media.speech import SpeechInMemory
from . import host
from .checks import check_widgets
from .types import Audio, AudioEncoder, AudioTokens, schema

logger = logging.getLogger(__name__)

# Below -60 dBFS nothing in a recording is speech.
_SILENCE = 1e-3


class EADNetAudioEncode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetAudioEncode",
            display_name="EAD-Net Encode Audio",
            description="Turns a recording of speech into what the denoiser hears around every video "
            "frame, and says how many frames the recording lasts.",
            search_aliases=["speech", "whisper", "voice", "audio to frames"],
            inputs=[
                AudioEncoder.Input("audio_encoder", tooltip="From the loader that the model comes from."),
                io.Audio.Input(
                    "audio",
                    tooltip="Speech of any length, sample rate and number of channels; it is mixed to mono.",
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=1.0,
                    max=120.0,
                    step=0.01,
                    tooltip="Frames per second of the video to make; give Create Video the same number. "
                    "The models were trained at 25.",
                ),
                io.Boolean.Input(
                    "silence_gate",
                    default=True,
                    optional=True,  # workflows saved before it came know nothing of it
                    tooltip="Close the mouth in the pauses of the recording: where it is far quieter than "
                    "the speech, breath and background are heard as silence.",
                ),
            ],
            outputs=[
                Audio.Output(
                    display_name="encoded_audio", tooltip="Tokens for every frame: EAD-Net Sampler."
                ),
                io.Int.Output(
                    display_name="frame_count",
                    tooltip="How many frames the recording lasts, rounded: EAD-Net Prepare.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        audio_encoder: host.Network,
        audio: dict[str, Any] | None,
        fps: float,
        silence_gate: bool = True,
    ) -> io.NodeOutput:
        check_widgets(cls, fps=fps)
        if audio is None:
            raise InputError("There is no sound: the file that was loaded has no audio track.")
        waveform, rate = audio["waveform"], audio["sample_rate"]
        speech = to_mono_16k(waveform, rate)
        seconds = waveform.shape[-1] / rate
        frames = num_frames(seconds, fps)
        if frames == 0:
            raise InputError(
                f"The recording lasts {seconds:.3f} s, less than half a frame at {fps:g} fps: give more."
            )
        if float(speech.abs().max()) < _SILENCE:
            logger.warning("The recording is silent: the mouth has nothing to follow.")
        encoder = audio_encoder.use()
        tokens = encoder.encode_speech(speech, fps, frames)
        if silence_gate:
            tokens = gated(tokens, speech_gate(SpeechInMemory(speech), fps, frames), quiet_tokens(encoder))
        return io.NodeOutput(AudioTokens(tokens.float().to(host.result_device()), fps), frames)
