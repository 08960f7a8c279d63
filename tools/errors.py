"""The errors that end a command with a message and no traceback."""

from __future__ import annotations


class SetupError(RuntimeError):
    """A command cannot go on. The message says what went wrong and what to do."""


class ServerError(SetupError):
    """ComfyUI did not start, died, or reported an error of its own."""


class WorkflowRefused(ServerError):
    """ComfyUI's validation refused a workflow; `node_errors` is the server's own account, by node id."""

    def __init__(self, message: str, node_errors: dict[str, dict] | None = None) -> None:
        super().__init__(message)
        self.node_errors = node_errors or {}
