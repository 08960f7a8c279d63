"""What our pages ask the server for, beside core's own addresses."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import folder_paths

from ...eadnet.errors import InputError
from ...eadnet.media.peaks import wave_peaks
from ...eadnet.paths import is_file
from .live import PAGES
from .server import running_server

LOOKING, PEAKS = "/eadnet/looking", "/eadnet/peaks"


def register_routes() -> None:
    """Answer pages: whether they look, and the waveform of a recording. Without a server nothing happens, nor
    where another copy of the pack answers already: the same address twice would keep ComfyUI from starting.
    """
    server = running_server()
    if server is None or any(getattr(route, "path", None) == PEAKS for route in server.routes):
        return
    from aiohttp import web

    async def looking(request: Any) -> Any:
        try:
            said = await request.json()
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict) or not isinstance(said.get("client"), str):
            return web.Response(status=400)
        PAGES.note(said["client"], said.get("looks") is True)
        return web.Response(status=204)

    async def peaks(request: Any) -> Any:
        path = input_file(request.query.get("file", ""))
        if path is None:
            return web.Response(status=404)
        try:
            seconds, found = await asyncio.get_running_loop().run_in_executor(None, wave_peaks, path)
        except InputError:
            return web.Response(status=415)
        return web.json_response({"seconds": seconds, "peaks": found.tolist()})

    server.routes.post(LOOKING)(looking)
    server.routes.get(PEAKS)(peaks)


def input_file(name: str) -> Path | None:
    """A file by its name in core's file widgets (`a/b.wav`, `c.wav [output]`); None for what is not there,
    and for what lies outside those folders.
    """
    if not name or "\x00" in name:
        return None
    plain, base = folder_paths.annotated_filepath(name)
    root = Path(os.path.abspath(base or folder_paths.get_input_directory()))
    path = Path(os.path.abspath(root / plain))
    return path if path.is_relative_to(root) and is_file(path) else None
