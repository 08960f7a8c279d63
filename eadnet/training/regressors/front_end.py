"""An audio encoder with the two linear heads that it is trained with: the mouth, and the sounds heard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ...errors import CheckpointError
from ...modules.mini_audio import MiniAudioEncoder
from ...modules.slices import ROWS_PER_FRAME

FPS = 25.0
_SILENCE_BEHIND = 4000  # samples: what the encoder looks at beyond the end
SIZE: dict[str, Any] = {"width": 96, "dim": 64, "dilations": [1, 2, 4, 8, 1], "groups": 8}
"""A quarter of a million parameters: two cores train it within an hour."""


class FrontEnd(nn.Module):
    """Log-mel -> the mouth of every frame (25 a second) and the class of sound of every row (50 a second).

    Args:
        columns: of the mouth; sounds: classes; size: as `MiniAudioEncoder`.
    """

    def __init__(self, columns: int, sounds: int, size: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.encoder = MiniAudioEncoder(**(size or SIZE))
        self.mouth = nn.Linear(ROWS_PER_FRAME * self.encoder.config["dim"], columns)
        self.sounds = nn.Linear(self.encoder.config["dim"], sounds)

    def forward(self, log_mel: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """[B, 80, M] and T -> mouths [B, T, columns], and logits of the sounds [B, M // 2, sounds]."""
        tokens = self.encoder.encode_windows(log_mel, FPS, frames)
        return self.mouth(tokens.flatten(2)), self.sounds(self.encoder(log_mel))

    @torch.no_grad()
    def hear(self, waveform: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """A sound [S] at 16 kHz -> its mouth [T, columns], and how likely each sound is, [2 T, sounds]."""
        padded = torch.nn.functional.pad(waveform.float(), (0, _SILENCE_BEHIND))
        mouth, logits = self(self.encoder.log_mel(padded)[None], frames)
        return mouth[0], logits[0, : 2 * frames].softmax(-1)

    def save(self, path: Path) -> None:
        """Write the weights (.safetensors); the header holds the encoder's configuration."""
        weights = {name: value.contiguous() for name, value in self.state_dict().items()}
        save_file(weights, path, {"config": json.dumps(self.encoder.config)})

    @classmethod
    def load(cls, path: Path) -> FrontEnd:
        """Raises CheckpointError, one sentence, for anything that `save` did not write."""
        try:
            with safe_open(path, framework="pt") as file:
                config = json.loads((file.metadata() or {})["config"])
                weights = {name: file.get_tensor(name) for name in file.keys()}
            columns, sounds = len(weights["mouth.bias"]), len(weights["sounds.bias"])
            made = cls(columns, sounds, config)
            made.load_state_dict(weights)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{path.name} is no audio front end: choose another file.") from error
        return made.eval()
