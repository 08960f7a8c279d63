"""What the environment keeps secret is shown nowhere, whatever a server says and however it fails."""

from __future__ import annotations

import base64
import html
import json
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote, quote_plus

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadnet.captions.endpoint import KEY_VARIABLE, URL_VARIABLE, EndpointCaptioner, endpoint_url, key_for
from eadnet.errors import InputError
from eadnet.secrets import Secrets, secrets_of, without_secrets
from tests.captions.stub import Answer, serving

KEY = 'sk-Ab3/"9zQ+kk=7Yp&Lm2WvT'
FRAMES = [np.zeros((8, 8, 3), np.uint8)]
GOOD = json.dumps({"emotion": "angry", "caption": "angry"})

WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": str,
    "capitals": str.upper,
    "in a URL": lambda key: quote(key, safe=""),
    "in a form": quote_plus,
    "in JSON": lambda key: json.dumps(key)[1:-1],
    "in HTML": html.escape,
    "in base64": lambda key: base64.b64encode(key.encode()).decode(),
    "as basic authorization": lambda key: base64.b64encode(f"me:{key}".encode()).decode(),
    "as bearer in base64": lambda key: base64.urlsafe_b64encode(f"Bearer {key}".encode()).decode(),
    "in hexadecimal": lambda key: key.encode().hex(),
    "backwards": lambda key: key[::-1],
    "its beginning": lambda key: key[:12] + "…",
    "its end": lambda key: "…" + key[-10:],
    "in two parts": lambda key: f"{key[:12]} … {key[12:]}",
}


def trails(secret: str, text: str, length: int = 8) -> list[str]:
    """Pieces of a secret, in any of its forms, that a text shows."""
    forms = [secret, *(write(secret) for name, write in WRITTEN.items() if "as b" not in name)]
    pieces = {form[i : i + length].lower() for form in forms for i in range(len(form) - length + 1)}
    return [piece for piece in pieces if piece in text.lower()]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (URL_VARIABLE, KEY_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def everything(error: BaseException) -> str:
    """What ComfyUI would log."""
    return "".join(traceback.format_exception(error)) + str(error)


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("where", ["error", "nested", "message", "caption", "reason"])
def test_a_key_that_a_server_repeats_is_masked(
    monkeypatch: pytest.MonkeyPatch, written: str, where: str
) -> None:
    said = f"bad key {WRITTEN[written](KEY)} given"
    bodies = {
        "error": Answer(status=401, body=json.dumps({"error": said}).encode()),
        "nested": Answer(status=500, body=json.dumps({"error": {"message": said}}).encode()),
        "message": Answer(body=json.dumps({"message": said}).encode()),
        "caption": Answer(json.dumps({"emotion": "sad", "caption": said})),
        "reason": Answer(f"I think: {said}"),
    }
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with serving(bodies[where]) as server:
        monkeypatch.setenv(URL_VARIABLE, server.url)
        try:
            made = EndpointCaptioner(retries=0).describe(FRAMES)
            shown = made.report() + made.description.to_json()
        except InputError as error:
            shown = everything(error)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert not trails(KEY, shown)


SECRET = "s3cr3t-T0k3n-in-the-query"


@pytest.mark.parametrize(
    "answer",
    [Answer(GOOD), Answer(status=401), Answer(status=302), Answer(body=b"x"), Answer(body=b"{}"), None],
)
def test_the_query_of_the_environments_address_is_sent_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, answer: Answer | None
) -> None:
    with serving(answer or Answer(GOOD)) as server:
        monkeypatch.setenv(URL_VARIABLE, f"{server.url}?api-key={SECRET}")
        if answer is None:
            port = free_port()
            monkeypatch.setenv(URL_VARIABLE, f"http://127.0.0.1:{port}/v1?api-key={SECRET}")
        captioner = EndpointCaptioner(retries=0)
        try:
            shown = captioner.describe(FRAMES).report()
        except InputError as error:
            shown = everything(error)
    assert not trails(SECRET, shown) and URL_VARIABLE in shown
    assert answer is None or SECRET in server.paths[0]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.mark.parametrize(
    "address",
    [
        f"http://user:{SECRET}@h/v1",
        f"http://{SECRET}@h:99999/v1",
        f"http://user:{SECRET}/x@h/v1",
        f"http://h:{SECRET}/v1",
        f"http://[::1/{SECRET}",
        f"ftp://h/v1?k={SECRET}",
        f"{SECRET}",
        f"//h?{SECRET}",
        f"http://h/v1?k={SECRET}\r\nX: y",
        f"http://h/\ud800{SECRET}",
        f"http://{'a' * 70}.b/?{SECRET}",
        f"http://h/v1?{SECRET}{'x' * 3000}",
    ],
)
def test_an_address_of_the_environment_that_is_none_is_not_quoted(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    try:
        monkeypatch.setenv(URL_VARIABLE, address)
    except UnicodeEncodeError:
        pytest.skip("no environment holds this")
    with pytest.raises(InputError, match=URL_VARIABLE) as caught:
        endpoint_url()
    assert not trails(SECRET, everything(caught.value))
    with pytest.raises(InputError) as caught:  # typed into the widget, user and query are not shown either
        endpoint_url(address)
    assert "?" not in without_secrets(address) and f"{SECRET}@" not in everything(caught.value)


@pytest.mark.parametrize("key", ["sk-1\r\nX-Evil: 1", "sk-\u20ac", "sk-\x00"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    environment = {KEY_VARIABLE: key, URL_VARIABLE: "http://localhost/v1"}
    with pytest.raises(InputError, match=KEY_VARIABLE) as caught:
        key_for("http://localhost/v1", environment)
    assert "sk-" not in everything(caught.value)


@given(st.text(min_size=6, max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_no_text_around_a_secret_keeps_it_from_being_masked(secret: str, before: str, after: str) -> None:
    secret = secret.strip()
    if len(secret) < 6:
        return
    assert secret not in Secrets([secret]).hide(before + secret + after)


def test_what_is_no_secret_stays() -> None:
    secrets = secrets_of(KEY, "https://api.example/v1/chat/completions?api-version=2024")
    for text in ("", "model not found", "https://api.example/v1", "Incorrect API key provided: ***"):
        assert secrets.hide(text) == text
    assert Secrets([""]).hide("a b") == "a b"


@contextmanager
def raw_server(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """Says what it likes to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            try:
                connected, _ = listening.accept()
                with connected:
                    connected.recv(1000)
                    speak(connected)
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    thread.join(3)
    assert not thread.is_alive(), "the connection was cut"


def _drip(text: bytes) -> Callable[[socket.socket], None]:
    def speak(connected: socket.socket) -> None:
        for _ in range(400):
            connected.sendall(text)
            time.sleep(0.02)

    return speak


@pytest.mark.parametrize(
    "drip",
    [b"HTTP/1.1 100 Continue\r\n\r\n", b"H", b"HTTP/1.1 200 OK\r\nX-A: b\r\n"],
    ids=["100", "status", "headers"],
)
def test_a_server_that_never_comes_to_its_answer_is_given_up_in_time(drip: bytes) -> None:
    started = time.monotonic()
    with raw_server(_drip(drip)) as url, pytest.raises(InputError):
        EndpointCaptioner(url, timeout=0.5, retries=0).describe(FRAMES)
    assert time.monotonic() - started < 4


def test_cancel_ends_waiting_for_an_answer() -> None:
    class Cancelled(BaseException):
        pass

    def waiting(_: float) -> None:
        if time.monotonic() - started > 0.3:
            raise Cancelled

    started = time.monotonic()
    with raw_server(lambda connected: time.sleep(1)) as url, pytest.raises(Cancelled):
        EndpointCaptioner(url, timeout=60, retries=0, waiting=waiting).describe(FRAMES)
    assert time.monotonic() - started < 2.5


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://münchen.example/v1", "http://xn--mnchen-3ya.example/v1/chat/completions"),
        ("http://h/ä b"[:10], "http://h/%C3%A4/chat/completions"),
        ("http://h/v1?a=ü", "http://h/v1/chat/completions?a=%C3%BC"),
        ("http://h/a%20b", "http://h/a%20b/chat/completions"),
    ],
)
def test_letters_of_other_scripts_are_sent_as_addresses_write_them(given: str, url: str) -> None:
    assert endpoint_url(given) == url


@pytest.mark.parametrize(
    "given",
    [
        f"http://{'a' * 64}.example/v1",
        "http://a..b/v1",
        "http://\ud800.example/v1",
        "http://h\u2100.example/v1",
        "http://[::1/v1",
        "http://[zz]/v1",
        "http://h:-1/v1",
        "http://h:1e3/v1",
        "http://h:٣/v1",
        "http://a\\b/v1",
        "http://" + "a." * 200 + "b/v1",
        "http://h/" + "x" * 5000,
        "http://%00/v1",
    ],
)
def test_addresses_that_no_computer_has_are_refused_in_one_sentence(given: str) -> None:
    with pytest.raises(InputError) as caught:
        endpoint_url(given)
    assert len(str(caught.value)) < 300
    everything(caught.value).encode()


@pytest.mark.parametrize(
    "content",
    [7, {"a": 1}, [1, {"text": 5}, "x", None], [[[]]], True, "\ud83d", 'sad {"emotion": "\ud800"', None],
)
def test_any_content_is_a_description_or_one_sentence_that_can_be_written(content: object) -> None:
    body = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
    with serving(Answer(body=body)) as server:
        try:
            shown = EndpointCaptioner(server.url, retries=0).describe(FRAMES).report()
        except InputError as error:
            shown = everything(error)
    shown.encode()


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices": [' * 400 + b"]}",
        b'{"error": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"error": {"message": ' + b"9" * 5000 + b"}}",
        b'{"choices": [{"message": {"content": ' + b"9" * 5000 + b"}}]}",
        b'{"choices": {"0": 1}}',
        b'{"choices": [[]]}',
        b"\x80" * 1000,
        "{}".encode("utf-16"),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_bodies_that_are_no_reply_are_one_sentence(body: bytes, status: int) -> None:
    with serving(Answer(body=body, status=status)) as server, pytest.raises(InputError):
        EndpointCaptioner(server.url, retries=0).describe(FRAMES)


@pytest.mark.parametrize("after", ["²", "9" * 400, "-1", "nan", "Wed, 21 Oct 2015 07:28:00 GMT", ""])
def test_any_word_on_when_to_ask_again_is_borne(after: str) -> None:
    pauses: list[float] = []
    headers = {"Retry-After": after} if after.isascii() else {}
    with serving(Answer(status=503, headers=headers), Answer(GOOD)) as server:
        EndpointCaptioner(server.url, retries=1, pause=pauses.append).describe(FRAMES)
    assert len(pauses) == 1 and 0 < pauses[0] <= 20
