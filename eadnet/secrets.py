"""Keys and passwords of the environment: never shown, whoever says them.

A server that refuses a key may say it again, whole or in part, in JSON, in a URL or as base64. What a server
says goes through `Secrets.hide` before anybody sees it.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

_MASK = "•••"
_SHORTEST = 3  # characters of a secret
_TOKEN = 16  # a part of a path of this length may be one
_PIECE = 6  # so many characters of a secret in a row are hidden, wherever they stand
_LONGEST = 4096
# Variables of the environment that hold secrets by their names, whoever reads them (HF_TOKEN, for instance).
_SECRET_NAME = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE)
_SECRET_LENGTH = 8  # shorter ones are settings, such as a kind of key


class Secrets:
    """Texts that are not to be shown."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._pieces: set[str] = set()
        self._words: set[str] = set()
        for text in {text.strip()[:_LONGEST] for text in texts}:
            if len(text) < _SHORTEST:
                continue
            for form in map(_folded, _forms(text)):
                if len(form) < 2 * _PIECE:
                    self._words.add(form)
                if len(form) >= _PIECE:
                    self._pieces |= {form[i : i + _PIECE] for i in range(len(form) - _PIECE + 1)}

    def hide(self, text: str) -> str:
        """The text with a mask in place of every secret, or piece of one."""
        folded, hidden = _folded(text), bytearray(len(text))
        for i in range(len(folded) - _PIECE + 1) if self._pieces else ():
            if folded[i : i + _PIECE] in self._pieces:
                hidden[i : i + _PIECE] = b"\1" * _PIECE
        for word in self._words:
            at = folded.find(word)
            while at >= 0:
                hidden[at : at + len(word)] = b"\1" * len(word)
                at = folded.find(word, at + 1)
        if not any(hidden):
            return text
        shown: list[str] = []
        for letter, is_hidden in zip(text, hidden, strict=True):
            if not is_hidden:
                shown.append(letter)
            elif not shown or shown[-1] is not _MASK:
                shown.append(_MASK)
        return "".join(shown)


def environment_secrets(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The secrets of the environment: of variables that are named so, and users and passwords of proxies.
    Errors of the standard library quote the address of a proxy that they cannot take apart.
    """
    found = []
    for name, value in environment.items():
        if name.lower().endswith("_proxy"):
            user = value.strip().rpartition("@")[0].rpartition("/")[2]
            found += [user, *user.split(":"), *map(unquote, user.split(":"))]
        elif _SECRET_NAME.search(name) and len(value.strip()) >= _SECRET_LENGTH:
            found.append(value)
    return found


def secrets_of(key: str, *addresses: str) -> Secrets:
    """The key, what is secret in addresses (user, password, query, and parts of the path like tokens), and
    the environment's own.
    """
    found = [key, *key.split(), *environment_secrets()]
    for address in addresses:
        try:
            parts = urlsplit(address.strip())
            user, password = parts.username or "", parts.password or ""
        except ValueError:
            found.append(address)
            continue
        found += [user, password, unquote(user), unquote(password), parts.fragment]
        found += [value for pair in parse_qsl(parts.query, keep_blank_values=True) for value in pair[1:]]
        found += [piece.partition("=")[2] if "=" in piece else piece for piece in parts.query.split("&")]
        found += [piece for piece in parts.path.split("/") if len(piece) >= _TOKEN]
        if password:
            found.append(f"{unquote(user)}:{unquote(password)}")
    return Secrets(found)


def without_secrets(address: str) -> str:
    """An address for a message: without user, password, query and fragment, even if it is none."""
    head, slashes, rest = address.partition("//")
    if not slashes:
        head, rest = "", head
    return head + slashes + rest.partition("?")[0].partition("#")[0].rpartition("@")[2]


def _folded(text: str) -> str:
    """In small letters, as far as that keeps every letter's place."""
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)


def _forms(text: str) -> set[str]:
    """The ways in which a text is commonly written elsewhere."""
    data = text.encode("utf-8", "surrogatepass")
    forms = {text, json.dumps(text)[1:-1], html.escape(text), data.hex(), text[::-1]}
    forms |= {quote(data, safe=""), quote_plus(data), json.dumps(text, ensure_ascii=False)[1:-1]}
    for lead in range(3):  # base64 of something that contains it: three ways to fall on its grid
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(b"\0" * lead + data).decode()
            forms.add(whole[(0, 2, 3)[lead] :].rstrip("=")[: -1 if (lead + len(data)) % 3 else None])
    return forms
