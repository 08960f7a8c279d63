"""ComfyUI's running server, if there is one: in tests and scripts there is none."""

from __future__ import annotations

import sys
from typing import Any


def running_server() -> Any:
    """The one `PromptServer`, or None."""
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
