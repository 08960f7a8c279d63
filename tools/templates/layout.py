"""Where nodes lie: columns of nodes, every column as high as the highest, groups around columns.

Heights hold in both of ComfyUI's renderers, the canvas and Nodes 2.0, and with what appears in a node while
it runs. They were measured in frontends 1.32.9 and 1.58.1; `tests/browser` holds them against the real ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .kinds import Kind

TITLE = 30  # the bar above a node; a node's position is below it
GAP = 22  # between the nodes of a column
BETWEEN = 24  # between columns of a group
AROUND = 14  # from a group's edge to its nodes
HEADING = 44  # a group's title
# The tallest renderer, Nodes 2.0 of frontend 1.32, in its own pixels.
FOOT, SLOT, WIDGET, TEXT = 24, 24, 34, 70
# What appears in a node: a file's picture or player, a preview, a finished film.
SHOWN = {
    "LoadImage": 290,
    "LoadAudio": 95,
    "LoadVideo": 290,
    "SaveVideo": 360,
    "PreviewImage": 210,  # 1.32 gives a picture 220 at least
    "PreviewAny": 90,
    "EADNetFaceRig": 280,
    "EADNetExpressionFromSpeech": 160,
    "EADNetExpressionFromVideo": 160,
    "EADNetEditExpression": 160,
    "EADNetRenderRig": 190,
    "EADNetPrepare": 190,
    "EADNetSampler": 196,
    "EADNetEmotionTimeline": 170,
    "EADNetFaceTrack": 280,
    "EADNetRenderVideo": 330,
}
# Widgets behind "Show advanced", less its button.
PUT_AWAY = {"EADNetFaceTrack": 8, "EADNetRenderVideo": 9, "EADNetSampler": 2}


# A note's letters, and what is around them.
LETTER, LINE, MARGINS = 9.0, 27, (60, 56)


@dataclass(frozen=True)
class Box:
    """A place: left, top (below the title bar), width, height."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Column:
    """Nodes (ids) and notes (keys) from top to bottom. `grows` takes what height is left."""

    width: int
    parts: tuple[int | str, ...]
    grows: int | str | None = None


@dataclass(frozen=True)
class Group:
    """Columns under a heading."""

    title: str
    columns: tuple[Column, ...]
    ours: bool = False  # blue: what the pack does; green is what people change or get


@dataclass
class Layout:
    """Places of all parts, and of the groups."""

    parts: dict[int | str, Box] = field(default_factory=dict)
    groups: list[tuple[Group, Box]] = field(default_factory=list)


def least_height(name: str, kind: Kind) -> int:
    """The height of a node of this class without its title, with room for what it will show."""
    slots = max(len(kind.sockets), len(kind.outputs))
    widgets = len(kind.widgets) - PUT_AWAY.get(name, 0)
    return FOOT + SLOT * slots + WIDGET * widgets + TEXT * kind.texts + SHOWN.get(name, 0)


def note_height(text: str, width: int) -> int:
    """The height of a note in a column of this width."""
    letters = (width - MARGINS[0]) / LETTER
    return LINE * math.ceil(len(text.replace("*", "")) / letters) + MARGINS[1]


def arranged(groups: Sequence[Group], heights: Mapping[int | str, float]) -> Layout:
    """Groups from left to right. The first node's top left corner is the origin."""
    columns = [column for group in groups for column in group.columns]
    full = max(sum(heights[part] + TITLE + GAP for part in column.parts) - GAP for column in columns)
    made, left = Layout(), 0.0
    for group in groups:
        start = left
        for column in group.columns:
            _stack(column, left, full, heights, made)
            left += column.width + BETWEEN
        left -= BETWEEN
        box = Box(start - AROUND, -TITLE - HEADING, left - start + 2 * AROUND, full + HEADING + AROUND)
        made.groups.append((group, box))
        left += 2 * AROUND + BETWEEN
    return made


def _stack(
    column: Column, left: float, full: float, heights: Mapping[int | str, float], made: Layout
) -> None:
    used = sum(heights[part] + TITLE + GAP for part in column.parts) - GAP
    spare, top = full - used, 0.0
    for part in column.parts:
        height = heights[part] + (spare if part == column.grows else 0.0)
        made.parts[part] = Box(left, top, column.width, height)
        top += height + GAP + TITLE
