"""Files of others that a user may download: where each lies, and that what came is what was published.

Only the command line asks for them (`eadnet fetch`); no node and no render touches the network.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import __version__
from .errors import InputError
from .printable import printable
from .secrets import secrets_of, without_secrets

Progress = Callable[[int, int], None]  # bytes so far, bytes in all

_BLOCK = 1 << 16
_TIMEOUT = 30.0  # seconds without any byte


@dataclass(frozen=True)
class Download:
    """One file.

    file: its name on disk.
    folder: where it belongs, from `models/eadnet` on.
    url: where its publisher keeps it.
    size: in bytes, where known.
    sha256: of its contents, in hexadecimal digits, where known.
    licence: of the file.
    """

    file: str
    folder: str
    url: str
    size: int | None
    sha256: str | None
    licence: str


FACE_LANDMARKER = Download(
    file="face_landmarker.task",
    folder="faces",
    url="https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/"
    "face_landmarker.task",
    size=3_758_596,
    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    licence="Apache-2.0",
)

# Of 1.6, as LatentSync's authors publish it. They state no digest.
LATENTSYNC_UNET = Download(
    file="latentsync_unet.pt",
    folder="latentsync-1.6",
    url="https://huggingface.co/ByteDance/LatentSync-1.6/resolve/main/latentsync_unet.pt",
    size=None,
    sha256=None,
    licence="OpenRAIL++",
)

# The digest is part of the address under which OpenAI publishes it.
WHISPER_TINY = Download(
    file="tiny.pt",
    folder="whisper",
    url="https://openaipublic.azureedge.net/main/whisper/models/"
    "65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9/tiny.pt",
    size=None,
    sha256="65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9",
    licence="MIT",
)

SD_VAE = Download(
    file="vae-ft-mse-840000-ema-pruned.safetensors",
    folder="../vae",
    url="https://huggingface.co/stabilityai/sd-vae-ft-mse-original/resolve/main/"
    "vae-ft-mse-840000-ema-pruned.safetensors",
    size=334_641_190,
    sha256="735e4c3a447a3255760d7f86845f09f937809baa529c17370d83e4c3758f3c75",
    licence="MIT",
)

# What `eadnet fetch NAME` gets.
SETS: dict[str, tuple[Download, ...]] = {
    "faces": (FACE_LANDMARKER,),
    "latentsync-1.6": (LATENTSYNC_UNET,),
    "whisper-tiny": (WHISPER_TINY,),
    "vae": (SD_VAE,),
}


def models_folder() -> Path:
    """`models/eadnet` of the ComfyUI this package is installed in; elsewhere, below the current folder."""
    above = Path(__file__).absolute().parents[1].parent  # of the folder that holds the package
    base = above.parent if above.name == "custom_nodes" else Path()
    return base / "models" / "eadnet"


def fetch(
    download: Download, folder: Path, url: str | None = None, on_progress: Progress | None = None
) -> Path:
    """The file in ``folder``, downloaded unless it is there; an interrupted download is continued.

    ``url``: another place that has the same file. A file whose digest is not known is taken as it comes, and
    one of its name that is there already is left alone. Raises InputError, one sentence, for whatever goes
    wrong; what came so far then stays beside it as `.part`.
    """
    url = url or download.url
    shown = without_secrets(url)
    if not url.startswith(("https://", "http://")):
        raise InputError(f"'{shown}' is no web address: give one that starts with https://.")
    target = folder / download.file
    if target.exists():
        if target.is_file() and download.sha256 in (None, digest_of(target)):
            return target
        raise InputError(
            f"There is another file {target} already: move or delete it, then fetch {download.file} again."
        )
    part = target.with_name(target.name + ".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _receive(download, part, url, on_progress)
        if download.sha256 not in (None, digest_of(part)):
            part.unlink()
            raise InputError(
                f"What {shown} sent is not the published {download.file} (its SHA-256 differs): try again "
                "later, or from another address with --url."
            )
        os.replace(part, target)
    except InputError:
        raise
    except urllib.error.HTTPError as error:
        raise InputError(
            f"The server answers {error.code} ({_hidden(error.reason, url)}) for {shown}: try again later, "
            f"or download {download.file} by hand into {folder}."
        ) from None  # what the standard library says quotes addresses, with all that is in them
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        ConnectionError,
        TimeoutError,
        ValueError,
    ) as error:
        reason = _hidden(getattr(error, "reason", None) or error, url)
        raise InputError(
            f"{download.file} could not be downloaded from {shown} ({reason}): check the network and fetch "
            f"again, which continues it, or download it by hand into {folder}."
        ) from None
    except OSError as error:
        raise InputError(
            f"{target} cannot be written ({error.strerror or error}): free space or choose another folder "
            "with --into."
        ) from error
    return target


def _hidden(said: object, url: str) -> str:
    return secrets_of("", url).hide(printable(said, 200))


def _receive(download: Download, part: Path, url: str, on_progress: Progress | None) -> None:
    """Append to ``part`` what is missing of the file. A server that knows no ranges sends all of it."""
    there = part.stat().st_size if part.is_file() else 0
    size = download.size
    if size is not None and there > size:
        there = 0
    if there == size:
        if on_progress:
            on_progress(there, there)
        return
    request = urllib.request.Request(url, headers={"User-Agent": f"eadnet/{__version__}"})
    if there:
        request.add_header("Range", f"bytes={there}-")
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and size is None and _all_of(error.headers.get("Content-Range")) == there:
            return  # all of it was there
        raise
    with answer:
        continued = answer.status == 206 and _starts_at(answer.headers.get("Content-Range"), there)
        there = there if continued else 0
        if not continued and answer.status == 206:
            raise http.client.HTTPException("it sent another part than the one asked for")
        stated = answer.headers.get("Content-Length")
        if size is None and stated is not None and stated.isdigit():
            size = there + int(stated)
        with part.open("ab" if there else "wb") as file:
            while block := answer.read(_BLOCK):
                there += len(block)
                if size is not None and there > size:
                    break  # another file; its digest says so
                file.write(block)
                if on_progress:
                    on_progress(there, size or there)
    if size is not None and there < size:
        raise http.client.HTTPException(f"it ended after {there} of {size} bytes")


def _all_of(content_range: str | None) -> int | None:
    """The length of the whole file that a server states."""
    length = (content_range or "").rpartition("/")[2]
    return int(length) if length.isdigit() else None


def _starts_at(content_range: str | None, place: int) -> bool:
    return (content_range or "").replace("=", " ").startswith(f"bytes {place}-")


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
