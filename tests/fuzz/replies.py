"""Border: descriptions and what captioners reply, as text, through their server, and as FACE_LANDMARKS."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np

from eadnet.captions import endpoint
from eadnet.captions.endpoint import EndpointCaptioner, endpoint_url
from eadnet.captions.http_call import Reply
from eadnet.captions.measured import from_face_landmarks
from eadnet.captions.parse import parse_reply
from eadnet.captions.schema import Description
from eadnet.captions.words import sentence
from eadnet.faces.comfy_landmarks import GivenLandmarks
from tests.fuzz.strange import TEXTS, changed, damaged, text

_FIELDS: dict[str, Any] = {
    "emotion": "happy",
    "intensity": 0.8,
    "valence": 0.6,
    "arousal": "moderate",
    "action_units": [{"number": 12, "name": "lip_corner_pull", "side": "both", "strength": "80%"}, "AU6"],
    "head": "turned left",
    "gaze": "ahead",
    "caption": "happy, a broad smile",
}
_STRICT = {**_FIELDS, "arousal": 0.4, "action_units": [{"number": 12, "side": "both", "strength": 0.5}]}
_WRAPS = (
    "%s",
    "```json\n%s\n```",
    "<think>hm</think> Sure! %s Hope it helps.",
    "{%s",
    "%s}",
    "// no\n%s",
    "happy %s",
)
_SHAPES = {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.7, "eyeLookOutLeft": 0.1, "browDownLeft": 0.2}
_MESH = [[20.0 + i % 24, 20.0 + i // 24] for i in range(478)]
_FACE = {"landmarks_xy": _MESH, "score": 0.9, "presence": 0.9}
_LANDMARKS = {"frames": [[{"blendshapes": _SHAPES, "score": 0.9}], []], "image_size": [64, 64]}
_KINDS = ("description", "reply", "reply", "reply", "answer", "address", "landmarks", "mesh")


class Subject:
    """A description, a reply, a server's answer, an address, or landmarks."""

    def __init__(self, folder: Path) -> None:
        self.server = EndpointCaptioner("http://localhost:1/v1", "model", pause=lambda seconds: None)
        whole = {"frames": [[_FACE], [_FACE]], "image_size": [64, 64]}
        for kind, given in (("reply", json.dumps(_FIELDS)), ("landmarks", _LANDMARKS), ("mesh", whole)):
            self.attempt((kind, given))

    def make(self, random: Random) -> tuple[str, Any]:
        kind = random.choice(_KINDS)
        if kind == "description":
            return kind, json.dumps(changed(_STRICT, random)) if random.random() < 0.85 else text(random)
        if kind == "reply":
            return kind, _reply(random)
        if kind == "answer":
            whole = {
                "choices": [{"message": {"content": _reply(random)}}],
                "error": {"message": text(random)},
            }
            data = json.dumps(changed(whole, random)).encode("utf-8", "surrogatepass")
            status = random.choice((200, 200, 200, 302, 401, 404, 429, 500))
            return kind, (status, data if random.random() < 0.7 else damaged(data, random), text(random)[:50])
        if kind == "address":
            parts = (
                "http://",
                "https://",
                "ftp://",
                "localhost",
                ":11434",
                ":0",
                ":99999",
                "/v1",
                "a" * 70,
                "ü.de",
                "@",
                "[::1]",
                "%00",
                "?",
                "#",
            )
            return kind, "".join(
                random.choice((*parts, text(random)[:80])) for _ in range(random.randint(1, 5))
            )
        if kind == "mesh":
            return kind, changed(
                {"frames": [[changed(_FACE, random)], [_FACE]], "image_size": [64, 64]}, random
            )
        return kind, changed(_LANDMARKS, random)

    def about(self, given: tuple[str, Any]) -> str:
        return ascii(given)[:160]

    def attempt(self, given: tuple[str, Any]) -> str:
        kind, what = given
        if kind == "description":
            described = Description.from_json(what)
            return f"{described.to_json()} {sentence(described)}"
        if kind == "reply":
            described, notes = parse_reply(what)
            return f"{described.to_json()} {sentence(described, 1, 10)} {described.caption} {' '.join(notes)}"
        if kind == "answer":
            with patch.object(endpoint, "post", lambda *request: Reply(*what)):
                return self.server.describe([np.zeros((8, 8, 3), np.uint8)]).report()
        if kind == "address":
            url = endpoint_url(what)
            EndpointCaptioner(what, what)
            url.encode("ascii")  # what a request line is sent as
            return url
        if kind == "mesh":
            seen = GivenLandmarks(what, (64, 64), 2)
            assert len(seen.meshes) == 2
            return str([face.box.tolist() for _ in range(2) for face in seen.detect(np.zeros(0))])
        captioned = from_face_landmarks(what)
        return captioned.report()


def _reply(random: Random) -> str:
    if random.random() < 0.25:
        return "".join(random.choice(TEXTS)[:20_000] for _ in range(random.choice((1, 1, 2))))
    inner = json.dumps(changed(_FIELDS, random), ensure_ascii=random.random() < 0.5)
    if random.random() < 0.5:
        inner = damaged(inner.encode("utf-8", "surrogatepass"), random).decode(
            "utf-8", random.choice(("replace", "replace", "surrogateescape"))
        )
    wrapped = random.choice(_WRAPS) % inner
    return wrapped * random.choice((1, 1, 1, 2, 100))
