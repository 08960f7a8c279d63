"""The form of data sets on disk: what those who write them and those who train on them agree on.

A data set of clips is a folder of plain numpy arrays, one row per clip, so that it can be memory-mapped:

    frames.npy       uint8   [N, T, S, S, 3]   the clip
    references.npy   uint8   [N, R, S, S, 3]   the same person at other moments, the first one calm
    speech.npy       int16   [N, samples]      the audio input, 16 kHz
    texts.json       N descriptions: row, text; perhaps `later`, the text that a frame's change leads to
    captions.jsonl   perhaps: what `eadnet caption` said of the clips; training then reads these words
    params.npy       float32 [N, T, P]         perhaps: facial parameters, named in parameters.json
    openings.npy     float32 [N, T]            with them: true opening of the mouth
    voices.npy       int16   [N, K, samples]   perhaps: the same said by other speakers
    changes.npy      float32 [N, T]            perhaps: the share of the text `later` that a frame shows
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import InputError

FPS, SAMPLE_RATE = 25, 16000
SETTINGS = "made_with.json"
OTHER_VOICES = "voices.npy"
CHANGES = "changes.npy"
CAPTIONS = "captions.jsonl"
MOMENTS_PER_STILL_PERSON = 6
LAYOUT = "parameters.json"
OPENING = "mouth_opening"


@dataclass(frozen=True)
class ParameterLayout:
    """Names of the columns of every parameter vector [P], and what some of them have in common.

    pose: where the head is, which a crop of the face does not show. speech: what speaking moves.
    transient: what comes and goes within a moment, such as blinks.
    """

    names: tuple[str, ...]
    pose: tuple[str, ...] = ()
    speech: tuple[str, ...] = ()
    transient: tuple[str, ...] = ()

    @property
    def columns(self) -> list[int]:
        """Columns of what can be read from a face: all but the pose."""
        return [column for column, name in enumerate(self.names) if name not in self.pose]

    @property
    def regressed(self) -> tuple[str, ...]:
        """Names of what a regressor gives: those columns, and the opening of the mouth."""
        return (*(self.names[column] for column in self.columns), OPENING)

    def write(self, folder: Path) -> None:
        """Into the folder of a data set."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LAYOUT).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> ParameterLayout:
        """Raises InputError where the data set does not name its parameters."""
        path = folder / LAYOUT
        if not path.exists():
            raise InputError(
                f"{folder} has facial parameters, but no {LAYOUT} that names them: run the stage that made "
                "the folder again (`python -m eadnet.training render` keeps what is there)."
            )
        return cls(**{kind: tuple(names) for kind, names in json.loads(path.read_text("utf-8")).items()})
