"""Captions from any server that speaks OpenAI's chat completions: Ollama, LM Studio, vLLM, llama.cpp.

The standard library is enough for it. Three rules keep secrets and images where they belong: the key
comes from the environment and goes only to the server that the environment names; redirects are not
followed; only http and https are spoken.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

import numpy as np

from ..errors import InputError
from ..secrets import Secrets, secrets_of, without_secrets
from . import prompts
from .base import Captioned
from .frames import check_frames, jpeg
from .http_call import NoReply, Reply, post
from .parse import clean, excerpt, parse_reply

URL_VARIABLE = "EADNET_CAPTION_URL"
KEY_VARIABLE = "EADNET_CAPTION_KEY"

_LONGEST_WAIT = 20.0
_LONGEST_ADDRESS = 2000
_LONGEST_CONTENT = 40_000
_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_CONTROLS = {chr(code) for code in (*range(33), 127)}
_EXAMPLE = "use one like http://localhost:11434/v1"
# What may stand in a path and a query without being written in percent.
_PATH, _QUERY = "/%:@!$&'()*+,;=~-._", "/%:@!$&'()*+,;=~-._?[]"


def endpoint_url(given: str = "") -> str:
    """The address of chat completions from what the user typed, or from the environment when that is empty.

    Raises InputError for what is no http(s) address, and for addresses with a password in them. Nothing of an
    address from the environment is ever quoted, of others neither user nor query.
    """
    typed = given.strip()
    text = typed or os.environ.get(URL_VARIABLE, "").strip()
    if not text:
        raise InputError(
            f"url is empty: enter the address (Ollama: http://localhost:11434/v1) or set {URL_VARIABLE}."
        )
    what = f"url '{excerpt(without_secrets(text), 80)}'" if typed else f"The variable {URL_VARIABLE}"
    parts, why = _split(text)
    if parts is None:
        raise InputError(f"{what} is not an address ({why}): {_EXAMPLE}.")
    if why or parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{what} is not an http address{f' ({why})' if why else ''}: {_EXAMPLE}.")
    if parts.username or parts.password:
        place = "would be saved in the workflow" if typed else "would be shown"
        raise InputError(
            f"{'url' if typed else what} contains a password, which {place}: set the environment variable "
            f"{KEY_VARIABLE} instead."
        )
    path = parts.path.rstrip("/")
    if not path.endswith("/chat/completions"):
        path = f"{path or '/v1'}/chat/completions"
    return parts._replace(
        netloc=_ascii_host(parts), path=quote(path, _PATH), query=quote(parts.query, _QUERY), fragment=""
    ).geturl()


def _split(text: str) -> tuple[SplitResult | None, str]:
    """The parts of an address and what is wrong with it; no parts for what cannot be taken apart.

    The words are our own: those of the standard library quote the address.
    """
    if len(text) > _LONGEST_ADDRESS:
        return None, f"longer than {_LONGEST_ADDRESS} characters"
    try:
        text.encode()
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return None, "halves of characters, or brackets that do not close"
    try:
        port = parts.port
    except ValueError:
        return None, "the port must be a number up to 65535"
    if port == 0:
        return parts, "the port must be a number from 1"
    if _CONTROLS & set(text):
        return (None, "line breaks") if "\n" in text or "\r" in text else (parts, "spaces")
    if ":" not in host:
        try:
            name = host.encode("idna").decode()
        except UnicodeError:
            return parts, "no computer can have this name"
        if len(name) > 253 or not re.fullmatch(r"[A-Za-z0-9._-]*", name):
            return parts, "no computer can have this name"
    return parts, ""


def _ascii_host(parts: SplitResult) -> str:
    """Host and port as they are sent: names in other scripts in IDNA."""
    host = parts.hostname or ""
    name = f"[{host}]" if ":" in host else host.encode("idna").decode()
    return name if parts.port is None else f"{name}:{parts.port}"


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts: SplitResult = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def key_for(url: str, environment: Mapping[str, str] = os.environ) -> str:
    """The key to send to ``url``: the environment's, when the environment also names that server; else none.

    A workflow can name any address, so an address alone must not be enough to be sent a key.
    Raises InputError for a key that no header can carry.
    """
    key, trusted = environment.get(KEY_VARIABLE, "").strip(), environment.get(URL_VARIABLE, "").strip()
    if not key or not trusted:
        return ""
    parts, why = _split(trusted)
    if parts is None or why or _origin(parts._replace(netloc=_ascii_host(parts)).geturl()) != _origin(url):
        return ""
    if not all(" " <= letter <= "~" for letter in key):
        raise InputError(
            f"The variable {KEY_VARIABLE} holds line breaks or letters that a key cannot have: set it again."
        )
    return key


class _Retry(Exception):
    """The request may succeed when repeated, after `wait` seconds if it said so."""

    def __init__(self, error: InputError, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error, self.wait = error, wait


class EndpointCaptioner:
    """Asks a server about frames. `pause` sleeps between attempts, and `waiting` is called while an answer is
    awaited; to cancel, raise inside them.
    """

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
        waiting: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """``timeout`` is for one attempt as a whole, in seconds. Raises InputError for settings that cannot
        work."""
        if not 0 < timeout <= 3600:
            raise InputError(f"timeout is {timeout:g} s: use more than 0 and at most 3600.")
        if not 0 <= retries <= 10:
            raise InputError(f"The number of retries is {retries}: use 0 to 10.")
        self.url, self.model = endpoint_url(url), clean(model)
        self.timeout, self.retries, self.side = timeout, retries, side
        self.pause, self.waiting = pause, waiting
        # The server as it is called in messages and reports.
        self.server = without_secrets(self.url)
        if not url.strip():
            parts = urlsplit(self.url)
            self.server = f"{parts.scheme}://{parts.netloc} of {URL_VARIABLE}"
        self.prompt, self.text = prompt, prompts.load(prompt)

    def describe(self, frames: Sequence[np.ndarray], seed: int = 0) -> Captioned:
        """See `Captioner`. Raises InputError that says whether the server is down, slow, failing or
        confused.
        """
        check_frames(frames)
        raw = self._ask(self._request(frames, seed))
        description, notes = parse_reply(raw)
        return Captioned(
            description, f"{self.model or 'default model'} at {self.server}", raw, self.prompt, notes
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
            trouble = self._attempt(body)
            if isinstance(trouble, str):
                return trouble
            if attempt == self.retries:
                raise trouble.error
            self.pause(min(wait if trouble.wait is None else trouble.wait, _LONGEST_WAIT))
            wait *= 2
        raise AssertionError("unreachable")

    def _attempt(self, body: bytes) -> str | _Retry:
        """The message, or why to try again. Raises InputError for what will not get better."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "ead-net"}
        if key := key_for(self.url):
            headers["Authorization"] = f"Bearer {key}"
        trouble: NoReply | None = None
        try:
            reply = post(self.url, body, headers, self.timeout, self.waiting)
        except NoReply as error:
            trouble = error
        # Outside the handler, so that nothing of the request hangs on what is raised.
        if trouble is not None:
            if trouble.late:
                what = f"gave no answer within {self.timeout:g} s: raise timeout or use a smaller model."
            else:
                reason = excerpt(self._hidden(str(trouble)), 80)
                what = f"cannot be reached ({reason}): is the server running?"
            return _Retry(InputError(f"{self.server} {what}"))
        return self._content(reply) if reply.status == 200 else self._refused(reply)

    def _hidden(self, said: str) -> str:
        """What a server said, without the secrets it may have repeated."""
        addresses = (self.url, os.environ.get(URL_VARIABLE, ""))
        secrets: Secrets = secrets_of(os.environ.get(KEY_VARIABLE, ""), *addresses)
        return secrets.hide(said)

    def _refused(self, reply: Reply) -> _Retry:
        """Why to try again after a status other than 200; raises InputError where that is no use."""
        if reply.status in (301, 302, 303, 307, 308):
            raise InputError(
                f"{self.server} redirects elsewhere, which is not followed: enter the final address."
            )
        said = self._said(reply.data)
        hints = {
            401: f"set {KEY_VARIABLE} and {URL_VARIABLE}",
            403: "check the key",
            404: "check the address and the model's name",
        }
        hint = hints.get(reply.status, "see the server's log")
        problem = InputError(
            f"{self.server} answered with error {reply.status}{f' ({said})' if said else ''}: {hint}."
        )
        if reply.status not in _AGAIN:
            raise problem
        after = reply.retry_after
        return _Retry(problem, float(after) if re.fullmatch(r"[0-9]{1,9}", after) else None)

    def _content(self, reply: Reply) -> str:
        """The text of a reply in OpenAI's form."""
        text = reply.data.decode("utf-8", "replace")
        found = _json(text) if reply.whole else None
        if found is None:
            page = text.lstrip()[:200].lower()
            what = "a web page" if page.startswith(("<!doctype", "<html", "<")) else "something else"
            what = what if reply.whole else "more than a megabyte"
            raise InputError(
                f"{self.server} answered with {what} instead of JSON: is it an OpenAI-compatible API?"
            )
        content: Any = found
        for step in ("choices", 0, "message", "content"):
            fits = isinstance(content, list) and content if step == 0 else isinstance(content, dict)
            if not fits or (step != 0 and step not in content):
                said = self._said(reply.data)
                raise InputError(
                    f"{self.server} answered without a message{f' ({said})' if said else ''}: is it an "
                    "OpenAI-compatible API?"
                )
            content = content[step]
        if isinstance(content, list):  # some servers answer in parts
            texts = [part.get("text") for part in content if isinstance(part, dict)]
            content = "".join(text for text in texts if isinstance(text, str))
        return self._hidden(content[:_LONGEST_CONTENT]) if isinstance(content, str) else ""

    def _said(self, data: bytes) -> str:
        """The error message inside a JSON reply, shortened; empty for anything else."""
        reply = _json(data.decode("utf-8", "replace"))
        error = reply.get("error", reply.get("message", "")) if isinstance(reply, dict) else ""
        if isinstance(error, dict):
            error = error.get("message", "")
        return excerpt(self._hidden(error[:4000]), 120) if isinstance(error, str) else ""


def _json(text: str) -> Any:
    """JSON of any kind; None for what is none, too deep, or has numbers of thousands of digits."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
