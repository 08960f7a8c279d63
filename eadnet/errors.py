"""The two errors a user can cause. Each message says what is wrong, where, and what to do."""

from __future__ import annotations


class InputError(ValueError):
    """Input that cannot be used: an image, a recording, a sentence or a setting."""


class CheckpointError(RuntimeError):
    """A weights file that is missing, truncated, foreign, or does not fit what was asked of it."""
