"""The prompts of language models, as text files: a new wording is a new file, so that captions can name
theirs.
"""

from __future__ import annotations

import re
from importlib import resources

from ...errors import InputError

LATEST = "describe-1"


def versions() -> list[str]:
    """Names of all prompts."""
    files = resources.files(__package__).iterdir()
    return sorted(file.name.removesuffix(".txt") for file in files if file.name.endswith(".txt"))


def load(version: str = LATEST) -> str:
    """The text of a prompt. Raises InputError for an unknown one."""
    if not re.fullmatch(r"[\w.-]+", version) or version not in versions():
        raise InputError(f"There is no prompt '{version}': use {', '.join(versions())}.")
    return resources.files(__package__).joinpath(f"{version}.txt").read_text("utf-8").strip()
