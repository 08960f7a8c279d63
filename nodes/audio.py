"""Speech to audio tokens."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..eadnet.errors import InputError
from ..eadnet.media.audio import channel_statistics, num_frames, to_mono_16k
from ..eadnet.media.silence import fade_to_silence, silence_tokens, speech_gate, speech_notes
from ..eadnet.media.speech import SpeechInMemory
from . import host
from .checks import checked
from .node import Node
from .notes import with_notes
from .sockets import audio_of
from .types import Audio, AudioEncoder, AudioTokens, schema


class EADNetAudioEncode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetAudioEncode",
            display_name="EAD-Net Encode Audio",
            description="Encodes speech into audio tokens for every video frame, and counts the frames that "
            "the audio lasts.",
            search_aliases=["speech", "whisper", "voice", "audio to frames"],
            inputs=[
                AudioEncoder.Input("audio_encoder", tooltip="From the same loader as the model."),
                io.Audio.Input(
                    "audio",
                    tooltip="Speech of any length, sample rate and number of channels. It is mixed to mono.",
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=1.0,
                    max=120.0,
                    step=0.01,
                    tooltip="Frame rate of the video in frames per second. Use the same value in Create "
                    "Video; the models were trained at 25.",
                ),
                io.Boolean.Input(
                    "silence_gate",
                    default=True,
                    optional=True,  # workflows saved before it existed lack it
                    tooltip="Close the mouth in pauses: breath and background noise, 40 dB below the speech, "
                    "count as silence.",
                ),
            ],
            outputs=[
                Audio.Output(
                    display_name="encoded_audio",
                    tooltip="Audio tokens of every frame, for EAD-Net Lip Sync Sampler.",
                ),
                io.Int.Output(
                    display_name="frame_count",
                    tooltip="Length of the audio in frames, rounded, for EAD-Net Prepare Face.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @checked
    def execute(
        cls,
        audio_encoder: host.Network,
        audio: Any,
        fps: float,
        silence_gate: bool = True,
    ) -> io.NodeOutput:
        recording = audio_of(audio, "audio", "the loaded file has no audio track, choose one that has")
        speech = to_mono_16k(recording.waveform, recording.rate)
        frames = num_frames(recording.seconds, fps)
        if frames == 0:
            raise InputError(
                f"The audio lasts {recording.seconds:.3f} s, less than half a frame at {fps:g} fps: use "
                "longer audio."
            )
        heard = SpeechInMemory(speech)
        encoder = audio_encoder.use()
        with host.cancellable(encoder):
            tokens = encoder.encode_speech(speech, fps, frames)
        if silence_gate:
            tokens = fade_to_silence(tokens, speech_gate(heard, fps, frames), silence_tokens(encoder))
        encoded = AudioTokens(tokens.float().to(host.result_device()), fps)
        notes = [
            *recording.notes,
            *channel_statistics(recording.waveform).notes(),
            *speech_notes(heard),
        ]
        return with_notes(cls, encoded, frames, notes=notes)
