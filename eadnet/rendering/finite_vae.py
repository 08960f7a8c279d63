"""A VAE whose results are finite, or an error: in half precision some overflow and give black frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ..errors import InputError
from ..finite import all_finite, check_result
from ..printable import get_logger

logger = get_logger(__name__)

IN_FLOAT32 = (
    "The VAE's result was not finite in half precision: this piece and all after it are computed in float32, "
    "which takes more memory. Start ComfyUI with --fp32-vae to have it from the beginning."
)
STILL_IN_FLOAT32 = (
    "The video is continued with the VAE in float32, as it was broken off: its result had not been finite in "
    "half precision."
)
_ADVICE = "download the VAE again, or connect another one that belongs to this model"


@dataclass(frozen=True)
class Coder:
    """The two ways through a VAE: crops [n, 3, R, R] in [-1, 1] to latents [n, 4, R/8, R/8], and back."""

    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]


class FiniteVAE:
    """Both ways through a VAE, each result checked.

    ``in_float32`` gives the same VAE in float32, or None where it computes in float32 already. It is asked
    for at the first result that is not finite: that piece is computed again, and everything after it, both
    ways.
    ``say`` takes the sentence about it.
    Raises InputError where values that came in, or a result in float32, are not finite.
    """

    def __init__(
        self,
        coder: Coder,
        in_float32: Callable[[], Coder | None] = lambda: None,
        say: Callable[[str], None] = logger.warning,
    ) -> None:
        self._coder, self._in_float32, self._say = coder, in_float32, say
        self._switched = False

    @property
    def switched(self) -> bool:
        """Whether it computes in float32 because a result was not finite."""
        return self._switched

    def switch(self) -> None:
        """Go on in float32 from now on, as an earlier attempt at the same video did."""
        if not self._switched:
            self._switched = True
            if (coder := self._in_float32()) is not None:
                self._say(STILL_IN_FLOAT32)
                self._coder = coder

    def encode(self, crops: Tensor) -> Tensor:
        return self._checked("encode", crops, "image")

    def decode(self, latents: Tensor) -> Tensor:
        return self._checked("decode", latents, "latents")

    def _checked(self, way: str, values: Tensor, kind: str) -> Tensor:
        result: Tensor = getattr(self._coder, way)(values)
        if all_finite(result):
            return result
        if not all_finite(values):
            raise InputError(
                f"The {kind} that the VAE is to {way} contain values that are not finite: check the node "
                "that made them."
            )
        if not self._switched:
            self._switched = True
            if (coder := self._in_float32()) is not None:
                self._say(IN_FLOAT32)
                self._coder = coder
                result = getattr(coder, way)(values)
        return check_result(result, f"VAE {way}r", _ADVICE)
