"""What speech encoders have in common: rows of features, 50 per second, and the ten of each frame."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import InputError
from ..finite import check_result
from ..media.features import WHISPER_HOP
from ..media.speech import Speech
from ..media.waveform import check_waveform
from .slices import first_row_needed, slice_features, slice_stream

_ADVICE = "load it in float32, or download its weights again"


class SpeechEncoder(nn.Module):
    """Tokens of every video frame of a recording, of the whole at once or of one that is read piece by piece.

    A network says how long a recording must be (`samples_needed`), and gives the feature rows of a waveform
    (`all_rows`) and of a stream (`row_blocks`).
    """

    @abstractmethod
    def samples_needed(self, fps: float | Fraction, num_frames: int) -> int:
        """Samples up to which silence follows a recording that ends before."""

    @abstractmethod
    def all_rows(self, waveform: Tensor) -> Tensor:
        """Rows [R, L, D] of a waveform [S]; R is two per mel frame, S // 320."""

    @abstractmethod
    def row_blocks(self, speech: Speech, samples: int, wanted: int) -> tuple[Iterator[Tensor], int]:
        """(consecutive rows [n, L, D], number of the first), so that row ``wanted`` and all after it are
        among them; ``samples`` is the length with the silence that follows.
        """

    @torch.no_grad()
    def encode_speech(self, waveform: Tensor, fps: float | Fraction, num_frames: int) -> Tensor:
        """Audio tokens of every video frame of a recording.

        Args:
            waveform: [S], mono, 16 kHz; where it ends before the last frame, silence follows.
            fps: video frames per second, any positive number.
            num_frames: T.

        Returns:
            [T, 10 L, D] on the encoder's device, in its dtype.

        Raises:
            InputError: no samples, samples that are not finite, more than one channel, fps not positive.
        """
        waveform = check_waveform(waveform)
        if waveform.ndim != 1:
            raise InputError(f"the audio has shape {list(waveform.shape)}: mix it down to one channel first.")
        missing = self.samples_needed(fps, num_frames) - waveform.numel()
        rows = self.all_rows(F.pad(waveform, (0, max(0, missing))))
        return slice_features(check_result(rows, "audio encoder", _ADVICE), fps, num_frames)

    @torch.no_grad()
    def stream_speech(
        self, speech: Speech, fps: float | Fraction, num_frames: int, first_frame: int = 0
    ) -> Iterator[Tensor]:
        """The tokens of `encode_speech` from a recording that is read piece by piece.

        Args:
            speech: mono, 16 kHz.
            fps, num_frames: of the whole video.
            first_frame: frame to begin with.

        Yields:
            [n, 10 L, D] for consecutive frames.
        """
        samples = max(speech.samples, self.samples_needed(fps, num_frames))
        rows = samples // WHISPER_HOP // 2
        blocks, first_row = self.row_blocks(speech, samples, first_row_needed(rows, fps, first_frame))
        checked = (check_result(block, "audio encoder", _ADVICE) for block in blocks)
        return slice_stream(checked, rows, fps, num_frames, first_frame, first_row)
