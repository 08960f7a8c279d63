"""Captions from any server that speaks OpenAI's chat completions: Ollama, LM Studio, vLLM, llama.cpp.

The standard library is enough for it. Three rules keep secrets and images where they belong: the key
comes from the environment and goes only to the server that the environment names; redirects are not
followed; only http and https are spoken.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

import numpy as np

from ..errors import InputError
from . import prompts
from .base import Captioned
from .frames import check_frames, jpeg
from .parse import clean, excerpt, parse_reply

URL_VARIABLE = "EADNET_CAPTION_URL"
KEY_VARIABLE = "EADNET_CAPTION_KEY"

_LARGEST_REPLY = 1 << 20
_LONGEST_WAIT = 20.0
_AGAIN = (408, 425, 429, 500, 502, 503, 504)


def endpoint_url(given: str = "") -> str:
    """The address of chat completions from what the user typed, or from the environment when that is empty.

    Raises InputError for what is no http(s) address, and for addresses with a password in them.
    """
    text = given.strip() or os.environ.get(URL_VARIABLE, "").strip()
    if not text:
        raise InputError(
            f"url is empty: enter the address (Ollama: http://localhost:11434/v1) or set {URL_VARIABLE}."
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise InputError(
            f"'{excerpt(text, 80)}' is not an address ({error}): use http://host:port/v1."
        ) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or _CONTROLS & set(text):
        raise InputError(
            f"'{excerpt(text, 80)}' is not an http address: use one like http://localhost:11434/v1."
        )
    if parts.username or parts.password:
        raise InputError(
            "url contains a password, which would be saved in the workflow: set the environment variable "
            f"{KEY_VARIABLE} instead."
        )
    path = parts.path.rstrip("/")
    if not path.endswith("/chat/completions"):
        path = f"{path or '/v1'}/chat/completions"
    return parts._replace(path=path, fragment="").geturl()


_CONTROLS = {chr(code) for code in (*range(33), 127)}


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts: SplitResult = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def key_for(url: str, environment: Mapping[str, str] = os.environ) -> str:
    """The key to send to ``url``: the environment's, when the environment also names that server; else none.

    A workflow can name any address, so an address alone must not be enough to be sent a key.
    """
    key, trusted = environment.get(KEY_VARIABLE, ""), environment.get(URL_VARIABLE, "")
    return key if key and trusted and _origin(url) == _origin(trusted) else ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _opener(url: str) -> urllib.request.OpenerDirector:
    """Without redirects, and for this very computer without a proxy."""
    host = urlsplit(url).hostname or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    proxies = [urllib.request.ProxyHandler({})] if local else []
    return urllib.request.build_opener(_NoRedirect, *proxies)


class _Retry(Exception):
    """The request may succeed when repeated, after `wait` seconds if it said so."""

    def __init__(self, error: InputError, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error, self.wait = error, wait


class EndpointCaptioner:
    """Asks a server about frames. `pause` sleeps between attempts; to cancel, raise inside it."""

    def __init__(
        self,
        url: str = "",
        model: str = "",
        *,
        timeout: float = 120.0,
        retries: int = 2,
        prompt: str = prompts.LATEST,
        side: int = 448,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """``timeout`` is for one attempt as a whole, in seconds. Raises InputError for settings that cannot
        work."""
        if not 0 < timeout <= 3600:
            raise InputError(f"timeout is {timeout:g} s: use more than 0 and at most 3600.")
        if not 0 <= retries <= 10:
            raise InputError(f"The number of retries is {retries}: use 0 to 10.")
        self.url, self.model = endpoint_url(url), clean(model)
        self.timeout, self.retries, self.side, self.pause = timeout, retries, side, pause
        self.prompt, self.text = prompt, prompts.load(prompt)

    def describe(self, frames: Sequence[np.ndarray], seed: int = 0) -> Captioned:
        """See `Captioner`. Raises InputError that says whether the server is down, slow, failing or
        confused.
        """
        check_frames(frames)
        raw = self._ask(self._request(frames, seed))
        description, notes = parse_reply(raw)
        return Captioned(
            description, f"{self.model or 'default model'} at {self.url}", raw, self.prompt, notes
        )

    def _request(self, frames: Sequence[np.ndarray], seed: int) -> bytes:
        pictures = [
            {
                "type": "image_url",
                "image_url": {"url": "data:image/jpeg;base64," + base64.b64encode(data).decode()},
            }
            for data in (jpeg(frame, self.side) for frame in frames)
        ]
        body: dict[str, Any] = {
            "messages": [{"role": "user", "content": [*pictures, {"type": "text", "text": self.text}]}],
            "temperature": 0,
            "seed": seed % 2**31,
            "max_tokens": 600,
            "stream": False,
        }
        return json.dumps({"model": self.model, **body} if self.model else body).encode()

    def _ask(self, body: bytes) -> str:
        wait = 0.5
        for attempt in range(self.retries + 1):
            try:
                return self._attempt(body)
            except _Retry as trouble:
                if attempt == self.retries:
                    raise trouble.error from trouble
                self.pause(min(wait if trouble.wait is None else trouble.wait, _LONGEST_WAIT))
                wait *= 2
        raise AssertionError("unreachable")

    def _attempt(self, body: bytes) -> str:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "ead-net"}
        if key := key_for(self.url):
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self.url, body, headers)
        deadline = time.monotonic() + self.timeout
        try:
            with _opener(self.url).open(request, timeout=self.timeout) as response:
                return self._content(_read(response, deadline))
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error, deadline) from error
        except (TimeoutError, urllib.error.URLError, http.client.HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise _Retry(
                    InputError(
                        f"{self.url} gave no answer within {self.timeout:g} s: raise timeout or use a "
                        "smaller model."
                    )
                ) from error
            raise _Retry(
                InputError(
                    f"{self.url} cannot be reached ({excerpt(str(reason), 80)}): is the server running?"
                )
            ) from error

    def _refused(self, error: urllib.error.HTTPError, deadline: float) -> Exception:
        """What to raise for a status other than 200."""
        if error.code in (301, 302, 303, 307, 308):
            return InputError(
                f"{self.url} redirects elsewhere, which is not followed: enter the final address."
            )
        try:
            said = _message(_read(error, deadline))
        except (OSError, http.client.HTTPException):
            said = ""
        hints = {
            401: f"set {KEY_VARIABLE} and {URL_VARIABLE}",
            403: "check the key",
            404: "check the address and the model's name",
        }
        hint = hints.get(error.code, "see the server's log")
        problem = InputError(
            f"{self.url} answered with error {error.code}{f' ({said})' if said else ''}: {hint}."
        )
        if error.code not in _AGAIN:
            return problem
        after = (error.headers.get("Retry-After") or "").strip()
        return _Retry(problem, float(after) if after.isdigit() else None)

    def _content(self, data: bytes) -> str:
        """The text of a reply in OpenAI's form."""
        text = data.decode("utf-8", "replace")
        try:
            reply = json.loads(text)
        except (ValueError, RecursionError):
            page = text.lstrip()[:200].lower()
            what = "a web page" if page.startswith(("<!doctype", "<html", "<")) else "something else"
            raise InputError(
                f"{self.url} answered with {what} instead of JSON: is it an OpenAI-compatible API?"
            ) from None
        try:
            content = reply["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError):
            said = _message(data)
            raise InputError(
                f"{self.url} answered without a message{f' ({said})' if said else ''}: is it an "
                "OpenAI-compatible API?"
            ) from None
        if isinstance(content, list):  # some servers answer in parts
            content = "".join(part.get("text", "") for part in content if isinstance(part, Mapping))
        return str(content or "")


def _read(response: Any, deadline: float) -> bytes:
    """The body, at most a megabyte, before the deadline: a server that drips bytes is slow, too."""
    data = b""
    while len(data) < _LARGEST_REPLY:
        if time.monotonic() > deadline:
            raise TimeoutError("the answer came too slowly")
        part = response.read1(min(65536, _LARGEST_REPLY - len(data)))
        if not part:
            break
        data += part
    return data


def _message(data: bytes) -> str:
    """The error message inside a JSON reply, shortened; empty for anything else."""
    try:
        reply = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return ""
    error = reply.get("error", reply.get("message", "")) if isinstance(reply, Mapping) else ""
    if isinstance(error, Mapping):
        error = error.get("message", "")
    return excerpt(str(error), 120) if error else ""
