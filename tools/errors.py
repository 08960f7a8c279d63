"""The errors that end a command with a message and no traceback."""

from __future__ import annotations


class SetupError(RuntimeError):
    """A command cannot go on. The message says what went wrong and what to do."""


class ServerError(SetupError):
    """ComfyUI did not start, died, refused a workflow, or reported an error of its own."""
