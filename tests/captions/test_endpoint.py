"""The endpoint against a real server on this computer: good, slow, broken, hostile."""

from __future__ import annotations

import io
import json
import time

import numpy as np
import pytest
from PIL import Image

from eadnet.captions.endpoint import (
    KEY_VARIABLE,
    URL_VARIABLE,
    EndpointCaptioner,
    endpoint_url,
    key_for,
)
from eadnet.errors import InputError
from tests.captions.stub import Answer, serving

GOOD = json.dumps({"emotion": "angry", "intensity": 0.8, "caption": "angry, brows lowered"})
FRAMES = [np.full((900, 1200, 3), shade, np.uint8) for shade in (40, 200)]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (URL_VARIABLE, KEY_VARIABLE):
        monkeypatch.delenv(name, raising=False)


class Pauses(list):
    """Waits between attempts, noted instead of waited."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def test_a_good_reply_becomes_a_description() -> None:
    with serving(GOOD) as server:
        made = EndpointCaptioner(server.url, "qwen").describe(FRAMES, seed=5)
    assert made.description.emotion == "angry" and made.description.caption == "angry, brows lowered"
    assert made.raw == GOOD and made.prompt == "describe-1" and "qwen" in made.source
    assert server.paths == ["/v1/chat/completions"]
    request = server.requests[0]
    assert (request["model"], request["seed"], request["temperature"]) == ("qwen", 5, 0)


def test_pictures_are_sent_small() -> None:
    with serving(GOOD) as server:
        EndpointCaptioner(server.url).describe(FRAMES)
    pictures = server.pictures()
    assert [Image.open(io.BytesIO(p)).size for p in pictures] == [(448, 336)] * 2
    assert all(len(p) < 60_000 for p in pictures) and "model" not in server.requests[0]


def test_a_server_that_recovers_is_asked_again() -> None:
    pauses = Pauses()
    with serving(Answer(status=503), Answer(status=429, headers={"Retry-After": "3"}), GOOD) as server:
        EndpointCaptioner(server.url, pause=pauses).describe(FRAMES[:1])
    assert pauses == [0.5, 3.0] and len(server.requests) == 3


def test_a_failing_server_is_named_with_its_message() -> None:
    body = json.dumps({"error": {"message": "out of\nmemory"}}).encode()
    pauses = Pauses()
    with (
        serving(Answer(status=500, body=body)) as server,
        pytest.raises(InputError, match="error 500 .out of"),
    ):
        EndpointCaptioner(server.url, pause=pauses).describe(FRAMES[:1])
    assert pauses == [0.5, 1.0]


@pytest.mark.parametrize(
    ("status", "hint"), [(401, KEY_VARIABLE), (404, "model's name"), (400, "server's log")]
)
def test_a_refusal_is_final(status: int, hint: str) -> None:
    with serving(Answer(status=status)) as server, pytest.raises(InputError, match=hint):
        EndpointCaptioner(server.url, pause=Pauses()).describe(FRAMES[:1])
    assert len(server.requests) == 1


def test_a_server_that_is_down_says_so() -> None:
    with serving(GOOD) as server:
        pass
    with pytest.raises(InputError, match="cannot be reached.*is the server running"):
        EndpointCaptioner(server.url, retries=1, pause=Pauses()).describe(FRAMES[:1])


@pytest.mark.parametrize("slow", [Answer(GOOD, delay=5), Answer(GOOD, drip=0.1)])
def test_a_slow_server_is_given_up_in_time(slow: Answer) -> None:
    started = time.monotonic()
    with serving(slow) as server, pytest.raises(InputError, match="no answer within 0.4 s"):
        EndpointCaptioner(server.url, timeout=0.4, retries=0).describe(FRAMES[:1])
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<!DOCTYPE html><html>login</html>", "a web page instead of JSON"),
        (b"", "something else instead of JSON"),
        (b"\xff\xfe\x00", "something else instead of JSON"),
        (b"[" * 100_000, "instead of JSON"),
        (b"{}", "without a message"),
        (b'{"choices": []}', "without a message"),
        (b'{"error": "model not loaded"}', "model not loaded"),
        (b'{"choices": [{"message": {"content": null}}]}', "reply is empty"),
        (b"x" * (3 << 20), "instead of JSON"),
    ],
)
def test_nonsense_is_an_error_in_one_sentence(body: bytes, problem: str) -> None:
    with serving(Answer(body=body)) as server, pytest.raises(InputError, match=problem) as caught:
        EndpointCaptioner(server.url, retries=0).describe(FRAMES[:1])
    assert len(str(caught.value)) < 400


def test_redirects_are_not_followed() -> None:
    with serving(Answer(GOOD)) as other:
        moved = Answer(status=307, headers={"Location": other.url})
        with serving(moved) as server, pytest.raises(InputError, match="elsewhere"):
            EndpointCaptioner(server.url, pause=Pauses()).describe(FRAMES[:1])
    assert other.paths == []


def test_a_key_goes_only_to_the_server_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    with serving(GOOD) as server, serving(GOOD) as trusted:
        EndpointCaptioner(server.url).describe(FRAMES[:1])
        monkeypatch.setenv(URL_VARIABLE, trusted.url)
        EndpointCaptioner(server.url).describe(FRAMES[:1])
        EndpointCaptioner().describe(FRAMES[:1])
    assert all("Authorization" not in headers for headers in server.headers)
    assert trusted.headers[0]["Authorization"] == "Bearer secret"


def test_the_origin_is_scheme_host_and_port() -> None:
    environment = {KEY_VARIABLE: "k", URL_VARIABLE: "https://api.example/v1"}
    assert key_for("https://api.example:443/other", environment) == "k"
    for other in ("http://api.example/v1", "https://api.example:8443/v1", "https://api.example.evil/v1"):
        assert key_for(other, environment) == ""


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://localhost:11434", "http://localhost:11434/v1/chat/completions"),
        (" http://localhost:11434/v1/ ", "http://localhost:11434/v1/chat/completions"),
        ("https://a.b/x/v1/chat/completions", "https://a.b/x/v1/chat/completions"),
        ("http://[::1]:8080/v1?a=b", "http://[::1]:8080/v1/chat/completions?a=b"),
    ],
)
def test_addresses_are_completed(given: str, url: str) -> None:
    assert endpoint_url(given) == url


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("", "url is empty"),
        ("localhost:11434", "not an http address"),
        ("file:///etc/passwd", "not an http address"),
        ("ftp://host/v1", "not an http address"),
        ("http://", "not an http address"),
        ("http://host:port/v1", "is not an address"),
        ("http://host:99999/v1", "is not an address"),
        ("http://a b/v1", "not an http address"),
        ("http://a\r\nX: y/v1", "is not an address"),
        ("http://me:secret@host/v1", "contains a password"),
    ],
)
def test_other_addresses_are_refused(given: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        endpoint_url(given)


@pytest.mark.parametrize(
    "wrong", [{"timeout": 0.0}, {"timeout": float("nan")}, {"retries": 11}, {"prompt": "../x"}]
)
def test_senseless_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError):
        EndpointCaptioner("http://localhost/v1", **wrong)


def test_no_frames_are_refused() -> None:
    with pytest.raises(InputError, match="no frames"):
        EndpointCaptioner("http://localhost/v1").describe([])
