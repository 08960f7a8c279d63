"""What the environment keeps secret: found whoever reads it, and hidden in what others say of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eadnet.captions.endpoint import EndpointCaptioner
from eadnet.downloads import FACE_LANDMARKER, fetch
from eadnet.errors import InputError
from eadnet.secrets import environment_secrets, secrets_of

SECRET = "s3cr3tPassw0rd"


@pytest.mark.parametrize("name", ["HF_TOKEN", "OPENAI_API_KEY", "aws_secret", "DB_PASSWORD"])
def test_variables_that_are_named_so_hold_secrets(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, SECRET)
    assert SECRET not in secrets_of("").hide(f"wrong token {SECRET} for the model")


def test_other_variables_and_short_words_do_not() -> None:
    known = environment_secrets({"HOME": "/home/somebody", "KEY_FILE": "/etc/keys/mine", "SSH_KEY": "rsa"})
    assert known == []


PROXIES = [
    f"http://user:{SECRET}@127.0.0.1:9",
    f"user:{SECRET}@127.0.0.1:9",
    f"http:/user:{SECRET}@127.0.0.1:9",
    f"http://user:{SECRET}@127.0.0.1:none",
    f"http://user:{SECRET}@",
    f"socks5://user:{SECRET}@127.0.0.1:9",
    f"http://user:{SECRET}@{'a' * 70}.b:1",
]


def ask(folder: Path) -> object:
    frames = [np.zeros((8, 8, 3), np.uint8)]
    return EndpointCaptioner("http://192.0.2.1/v1", timeout=2, retries=0).describe(frames)


def download(folder: Path) -> object:
    return fetch(FACE_LANDMARKER, folder, url="http://192.0.2.1/x")


@pytest.mark.parametrize("proxy", PROXIES, ids=range(len(PROXIES)))
@pytest.mark.parametrize("call", [ask, download])
def test_the_password_of_a_proxy_is_not_shown_by_what_fails_at_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: Callable[[Path], object], proxy: str
) -> None:
    """The standard library quotes the address of a proxy that it cannot take apart."""
    monkeypatch.setattr("urllib.request._opener", None)  # which remembers the proxies of its first call
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy)
    with pytest.raises(InputError) as caught:
        call(tmp_path)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{SECRET}@127.0.0.1:9/x",
        f"http://127.0.0.1:9/x?token={SECRET}",
        f"ftp://user:{SECRET}@127.0.0.1/x",
        f"https://{'a' * 70}.b/x?token={SECRET}",
        f"https://[::1/{'x'}?token={SECRET}",
        f"http://127.0.0.1:99999/x#{SECRET}",
        f"http://127.0.0.1:none/?{SECRET}",
        f"http://127.0.0.1:9/\u20ac?{SECRET}",
        f"http://127.0.0.1:9/a b?{SECRET}",
        f"http://\ud800/?{SECRET}",
    ],
    ids=range(10),
)
def test_an_address_to_download_from_is_one_sentence_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str
) -> None:
    monkeypatch.setattr("urllib.request._opener", None)
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(InputError) as caught:
        fetch(FACE_LANDMARKER, tmp_path, url=url)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
