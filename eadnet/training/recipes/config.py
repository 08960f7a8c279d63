"""A training run as a TOML file: sizes and minutes of stages, the U-Net's schedule, the losses' weights.

    [budget]      # eadnet.training.recipes.budget.Budget
    denoiser = 70
    [denoiser]    # eadnet.training.tasks.denoiser.Schedule
    bf16 = true
    [losses]      # eadnet.training.losses.weights.Weights
    sync = 0.05
    [smoother]
    sampled = 0.5

What is not named keeps its default. Names that do not exist are refused, with the nearest that do.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ...errors import InputError, nearest
from ..losses.weights import Weights
from ..tasks.denoiser import Schedule
from .budget import Budget

T = TypeVar("T")


@dataclass(frozen=True)
class SmootherConfig:
    """How TFRM is trained: the share of its batches that are the U-Net's own samples."""

    sampled: float = 0.0


@dataclass(frozen=True)
class Config:
    """All of a run."""

    budget: Budget = field(default_factory=Budget)
    denoiser: Schedule = field(default_factory=Schedule)
    losses: Weights = field(default_factory=Weights)
    smoother: SmootherConfig = field(default_factory=SmootherConfig)


def _section(kind: type[T], table: Any, where: str) -> T:
    """The dataclass `kind` with a table's values. Raises InputError for unknown names and wrong types."""
    if not isinstance(table, dict):
        raise InputError(f"{where} must be a table of settings, written [{where.rsplit(' ', 1)[-1]}].")
    known = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known:
            raise InputError(f"{where} has no setting '{name}': did you mean '{nearest(name, known)}'?")
        values[name] = _checked(value, known[name].default, f"{where}, {name}")
    return kind(**values)


def _checked(value: Any, default: Any, where: str) -> Any:
    """`value` in the type of `default`; None stands for a whole number that may be left out."""
    wanted: type = int if default is None else type(default)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not wanted:
        raise InputError(f"{where} is {value!r}: give a value of type {wanted.__name__}.")
    if isinstance(value, float | int) and not isinstance(value, bool) and not value >= 0:
        raise InputError(f"{where} is {value}: give 0 or more.")
    return value


def read_config(path: Path) -> Config:
    """Read a TOML file. Raises InputError for a missing or broken file, unknown names and wrong types."""
    try:
        import tomllib
    except ModuleNotFoundError as error:
        raise InputError(f"Reading {path.name} needs Python 3.11 or newer.") from error
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"There is no configuration {path}: check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is no TOML: {error}.") from error
    return parse_config(tables, path.name)


def parse_config(tables: dict[str, Any], name: str) -> Config:
    """A configuration from tables; `name` stands in messages."""
    sections = {f.name: f for f in dataclasses.fields(Config)}
    found: dict[str, Any] = {}
    for section, table in tables.items():
        if section not in sections:
            raise InputError(
                f"{name} has no section [{section}]: did you mean '{nearest(section, sections)}'?"
            )
        if section == "denoiser" and isinstance(table, dict) and "minutes" in table:
            raise InputError(f"{name} [denoiser] has no minutes: write denoiser = ... in [budget].")
        kind: Any = sections[section].default_factory
        found[section] = _section(kind, table, f"{name} [{section}]")
    config = Config(**found)
    if config.smoother.sampled > 1:
        raise InputError(f"{name} [smoother], sampled is {config.smoother.sampled}: give a share, 0 to 1.")
    return config
