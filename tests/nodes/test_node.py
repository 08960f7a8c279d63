"""The border of every node: its errors can be logged, whatever they quote."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest


def test_every_node_has_the_border(nodes: Any, submodule: Callable[[str], Any]) -> None:
    assert all(issubclass(node, submodule("nodes.node").Node) for node in vars(nodes).values())
    # Also around a method that something else has wrapped before.
    assert all(hasattr(node.execute.__func__, "guards") for node in vars(nodes).values())


def test_comfyui_can_clone_and_lock_every_node(nodes: Any) -> None:
    """As its server does before every prompt: attributes of a locked class cannot be set."""
    from comfy_api.internal import lock_class

    for node in vars(nodes).values():
        assert lock_class(node.PREPARE_CLASS_CLONE({})).execute.__wrapped__ is node.execute.__wrapped__


def test_an_error_from_below_can_be_logged_as_comfyui_logs_it(
    submodule: Callable[[str], Any], input_error: type[Exception]
) -> None:
    base: Any = submodule("nodes.node").Node

    class Failing(base):
        @classmethod
        def execute(cls, text: str) -> None:
            try:
                raise ValueError(f"bad {text}")
            except ValueError as error:
                raise input_error(f"'{text}' is wrong.") from error

    with pytest.raises(input_error) as caught:
        Failing.execute(text="\ud800\x1b")
    logged = "".join(traceback.format_exception(caught.value))
    logged.encode("utf-8")
    assert "bad \\ud800" in logged and "\x1b" not in logged


@pytest.mark.parametrize("timeline", ["\ud800 happy", "0 happy\ud83d", "0 a, 0.\udfff", "9" * 400 + ":0 a"])
def test_a_timeline_that_is_no_text_or_no_number_is_an_error_that_can_be_written(
    nodes: Any, run: Any, loaded: Any, input_error: type[Exception], timeline: str
) -> None:
    with pytest.raises(input_error) as caught:
        run(
            nodes.EADNetEmotionTimeline,
            text_encoder=loaded.text_encoder,
            timeline=timeline,
            frame_count=50,
            fps=25.0,
            cross_fade=0.4,
            ease="smooth",
            from_loudness=0.0,
        )
    str(caught.value).encode("utf-8")
    assert "Line 1" in str(caught.value) or "timeline" in str(caught.value)
