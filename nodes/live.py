"""The live view: small moving pictures of what is being made, and how much is left, in the node."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from . import host

SHARE = 0.03
"""Of the time of a run that its live view may take, by the clock and of the processor: where others use the
machine, much of the first is not the run's.
"""

SIDE = 160  # pixels of the longer side
_MOST = 16  # frames of a clip
_FIRST = 2  # frames that are decoded to learn what one takes

Decode = Callable[[Tensor], Tensor]


class LiveView:
    """Shows a node's work to who looks, within `SHARE` of the time since it was made.

    Args:
        node_id: of the node; None shows nothing.
        frames: of the whole clip.
        fps: at which the pictures play.
        decode: latents [n, 4, h, w] to pictures [n, 3, H, W] in -1..1, for `latents`.
    """

    def __init__(
        self, node_id: str | None, frames: int, fps: float = 25.0, decode: Decode | None = None
    ) -> None:
        self._page = host.live_channel(node_id)
        self._frames, self._fps, self._decode = frames, fps, decode
        self._started, self._worked = time.monotonic(), time.process_time()
        # Seconds in all, by the clock and of the processor, and for the last clip.
        self._spent = self._spent_work = self._last = 0.0

    def progress(self, done: int, total: int, seconds_left: float | None = None) -> None:
        """``done`` of ``total`` equal pieces of the clip; the time left is reckoned where it is not given."""
        if (send := self._page()) is None:
            return
        elapsed = time.monotonic() - self._started
        left = elapsed / max(done, 1) * (total - done) if seconds_left is None else seconds_left
        ready = round(self._frames * done / max(total, 1))
        text = f"{ready} of {self._frames} frames, {time_left(left)} left"
        if done >= total:  # it stays in nodes that have nothing else to show
            text = f"{self._frames} frames"
        send({"text": text, "share": done / max(total, 1)})

    def say(self, text: str) -> None:
        """Show a line."""
        if (send := self._page()) is not None:
            send({"text": text})

    def pictures(self, frames: Tensor) -> bool:
        """Show finished frames: uint8 [n, H, W, 3 or 4], or [n, 3, H, W] in -1..1. Whether somebody looks."""
        if (send := self._page()) is None:
            return False
        if self._room() >= self._last:
            self._timed(lambda: send({"clip": clip(frames[:_MOST], self._fps)}))
        return True

    @torch.no_grad()
    def latents(self, clean: Tensor) -> None:
        """Show clean latents [n, 4, h, w] as far as decoding them is worth it: frames of the middle."""
        send, decode = self._page(), self._decode
        if send is None or decode is None or self._room() <= 0:
            return

        def show() -> None:
            start = max(0, (len(clean) - _MOST) // 2)
            before = time.monotonic()
            shown = [decode(clean[start : start + _FIRST])]
            each = (time.monotonic() - before) / _FIRST
            more = min(_MOST, len(clean)) - _FIRST
            more = min(more, int((self._room() - _FIRST * each) / max(each, 1e-6)))
            if more > 0:
                shown.append(decode(clean[start + _FIRST : start + _FIRST + more]))
            send({"clip": clip(torch.cat(shown), self._fps)})

        self._timed(show)

    def _room(self) -> float:
        """Seconds that may be spent now."""
        clock = SHARE * (time.monotonic() - self._started) - self._spent
        return min(clock, SHARE * (time.process_time() - self._worked) - self._spent_work)

    def _timed(self, show: Callable[[], Any]) -> None:
        before, worked = time.monotonic(), time.process_time()
        show()
        clock, work = time.monotonic() - before, time.process_time() - worked
        self._last = max(clock, work)
        self._spent += clock
        self._spent_work += work


def time_left(seconds: float) -> str:
    """12 s, 2 min 5 s, 1 h 3 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
    )


def clip(frames: Tensor, fps: float) -> str:
    """Frames, as `LiveView.pictures` takes them, as an animated WebP of at most `SIDE` pixels: a data URL."""
    if frames.dtype == torch.uint8:
        pixels = frames[..., :3].movedim(-1, 1).float()
    else:
        pixels = (frames.float().clamp(-1, 1) + 1) * 127.5
    factor = SIDE / max(pixels.shape[-2:])
    if factor < 1:
        pixels = F.interpolate(pixels, scale_factor=factor, mode="area")
    small = pixels.round().to(torch.uint8).movedim(1, -1).cpu().numpy()
    first, *others = (Image.fromarray(picture) for picture in small)
    file = io.BytesIO()
    first.save(
        file,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=round(1000 / fps),
        loop=0,
        quality=70,
        method=0,
    )
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
