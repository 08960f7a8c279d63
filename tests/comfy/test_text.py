"""Half a character in a widget or a reply: a real server's worker must go on running prompts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.captions.stub import Answer, serving
from tests.comfy.client import Client, Failed, Refused
from tools.server import Server

pytestmark = [pytest.mark.comfy, pytest.mark.slow]

HALF = "\ud83d"
NASTY = [HALF, "\udfff", "\x1b[31m", "\u202e", "\x00", "9" * 400]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def timeline(text: str) -> dict[str, Any]:
    settings = {"fps": 25.0, "cross_fade": 0.4, "ease": "smooth", "from_loudness": 0.0}
    return {
        "1": node("EADNetCheckpointLoader", checkpoint="tiny.safetensors"),
        "2": node("PrimitiveInt", value=50),
        "3": node(
            "EADNetEmotionTimeline", text_encoder=["1", 2], timeline=text, frame_count=["2", 0], **settings
        ),
        "4": node("PreviewImage", images=["3", 1]),
    }


def caption(url: str, **changes: Any) -> dict[str, Any]:
    settings = {
        **{"backend": "endpoint", "emotion": "happy", "intensity": 0.7, "features": 3, "seed": 0},
        **{"phrasing": "as it came", "frame_count": 1, "model": "none", "url": url, "url_model": ""},
        "timeout": 20.0,
        **changes,
    }
    return {
        "1": node("EmptyImage", width=32, height=32, batch_size=1, color=0),
        "2": node("EADNetEmotionCaption", images=["1", 0], **settings),
        "3": node("PreviewAny", source=["2", 0]),
        "4": node("PreviewAny", source=["2", 1]),
        "5": node("PreviewAny", source=["2", 2]),
    }


def ends(client: Client, workflow: dict[str, Any]) -> str:
    """How a prompt ended; that it ended is the point."""
    try:
        client.run(workflow)
    except (Failed, Refused) as error:
        return str(error)
    return ""


def test_text_that_cannot_be_written_does_not_end_the_worker(server: Server) -> None:
    client = Client(server.port)
    for text in NASTY:
        said = ends(client, timeline(f"{text} happy"))
        assert "Line 1" in said or "timeline" in said, said
        said.encode()
    replies = [
        Answer(json.dumps({"emotion": "sad", "caption": f"sad {HALF}"})),
        Answer(f"no words {HALF}"),
        Answer(status=400, body=json.dumps({"error": {"message": f"cut {HALF} \x1b"}}).encode()),
        Answer(json.dumps({"emotion": HALF})),
    ]
    for reply in replies:
        with serving(reply) as endpoint:
            ends(client, caption(endpoint.url))
    ends(client, caption(f"http://{HALF}.example/v1"))
    ends(client, caption("http://h:1/v1", url_model=HALF, backend=HALF))
    assert ends(client, timeline("0 happy\n1 sad")) == "", "a good prompt still runs"
    log = server.log.read_text(encoding="utf-8")
    assert "\x1b[31m" not in log and "UnicodeEncodeError" not in log.rpartition("half a character")[2]
