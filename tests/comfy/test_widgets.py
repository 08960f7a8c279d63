"""Widgets' values as JSON over the API, where ComfyUI lets pass what no page would send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.comfy.client import Client, Failed, Refused
from tools.server import Server

pytestmark = [pytest.mark.comfy, pytest.mark.slow]

CAPTION: dict[str, Any] = {
    "backend": "template", "emotion": "angry", "intensity": 0.9, "features": 3, "seed": 1, "phrasing":
    "written anew", "frame_count": 2, "model": "none", "url": "", "url_model": "", "timeout": 10.0,
}  # fmt: skip
NAN, INFINITE = float("nan"), float("inf")


def graph(**changes: Any) -> dict[str, Any]:
    return {
        "1": {"class_type": "EADNetEmotionCaption", "inputs": {**CAPTION, **changes}},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    }


@pytest.mark.parametrize(
    ("widget", "value"),
    [
        ("intensity", NAN), ("intensity", INFINITE), ("intensity", -1), ("intensity", "many"),
        ("intensity", None),
        ("timeout", NAN), ("features", 10**400), ("features", INFINITE), ("features", {}), ("frame_count", 0),
        ("backend", "x"), ("backend", 5), ("backend", {"a": 1}), ("emotion", "\\ud800"), ("phrasing", True),
        ("url", "\\ud800"), ("url_model", "a\\u0000b"), ("url", "x" * 5000),
    ],
    ids=lambda value: repr(value)[:20],
)  # fmt: skip
def test_a_value_that_no_page_would_send_is_refused_by_name_and_the_server_goes_on(
    server: Server, widget: str, value: Any
) -> None:
    client = Client(server.port)
    if isinstance(value, str):
        value = json.loads(f'"{value}"')
    with pytest.raises((Failed, Refused)) as caught:
        client.run(graph(**{widget: value}))
    assert widget in str(caught.value)
    client.run(graph(seed=len(repr(value))))
