"""The stages of a recipe, one after the other; each reads what those before it wrote."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from ...errors import InputError
from ...printable import get_logger

logger = get_logger(__name__)


def run_stages(stages: Mapping[str, Callable[[], None]], names: Iterable[str]) -> None:
    """Run the named stages. Raises InputError where one misses what a stage before it writes."""
    for name in names:
        started = time.monotonic()
        try:
            stages[name]()
        except FileNotFoundError as error:
            raise InputError(
                f"The stage {name} needs {error.filename}, which is missing: run the stages before it first; "
                f"their order is {', '.join(stages)}."
            ) from error
        logger.info("%s took %.1f min", name, (time.monotonic() - started) / 60)
