"""The note beside an unfinished video: what it was made with, so that only the same render continues it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from ..media.resumable_video import partial_path
from ..printable import get_logger

logger = get_logger(__name__)


class Note:
    """NAME.partial.json beside NAME.partial.mp4.

    ``made_with`` is what must be the same for the video to be continued; the window is noted beside it,
    because memory may have made it smaller than requested.
    """

    def __init__(self, path: Path, made_with: Mapping[str, str | int]) -> None:
        self.path = path.with_name(f"{path.stem}.partial.json")
        self.video = partial_path(path)
        self.made_with = dict(made_with)

    def read(self) -> int | None:
        """The window of the earlier attempt; None where there is none, or it was another render."""
        try:
            note = json.loads(self.path.read_text(encoding="utf-8"))
            same, window = note["made_with"] == self.made_with, int(note["window"])
        except (OSError, ValueError, KeyError, TypeError):
            logger.info("There is nothing to resume at %s: starting from the beginning.", self.video.name)
            return None
        if not same:
            logger.warning("%s was made with other settings: starting from the beginning.", self.video.name)
            return None
        return window

    def write(self, window: int) -> None:
        """Raises InputError where nothing can be written."""
        text = json.dumps({"made_with": self.made_with, "window": window}, indent=1)
        try:
            self.path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(f"{self.path} cannot be written ({error}): choose another place.") from error

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
