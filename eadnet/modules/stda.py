"""STDA, Spatio-Temporal Directional Attention: global motion through strips of the space-time volume.

The EAD-Net paper (arXiv 2604.23325) names the module and its use of strip attention; the arrangement below
is our reconstruction. Three groups of heads attend along different strips:

    horizontal   s rows x full W of one frame
    vertical     full H x s columns of one frame
    temporal     full T at one s x s site (of clips of more than 64 frames, those around)

so the cost is O(THW (sW + sH + s^2 T)) instead of the O((THW)^2) of attention over the whole volume.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError
from .operations import TORCH, Operations, zeroed

DIRECTIONS = ("horizontal", "vertical", "temporal")

# Axes of a [T, H, W] volume: the one each direction runs along, and those it is only `strip` wide across.
_ALONG = {"horizontal": 2, "vertical": 1, "temporal": 0}
_ACROSS = {"horizontal": (1,), "vertical": (2,), "temporal": (1, 2)}

# Frames of a temporal strip that is seen as a whole; of a longer one, those that are worked on together, and
# those that they see on either side.
_WHOLE, _CHUNK, _BESIDE = 64, 32, 16

_SHAPES_KEPT = 16  # of strips whose tables are kept: a clip has one, and others at its ends


class StripAttention(nn.Module):
    """Attention of one group of heads inside the strips of one direction, with a relative position bias."""

    def __init__(
        self, direction: str, heads: int, strip: int, max_positions: int, operations: Operations = TORCH
    ) -> None:
        super().__init__()
        self._operations = operations
        self.heads = heads
        self.strip = strip
        self.max_positions = max_positions
        self.along = _ALONG[direction]
        self.across = _ACROSS[direction]
        across_offsets = (2 * strip - 1) ** len(self.across)
        self.bias = nn.Parameter(torch.empty(heads, 2 * max_positions - 1, across_offsets))
        nn.init.trunc_normal_(self.bias, std=0.02)
        # Of shapes and devices alone, so neither weights nor gradients make them stale.
        self._offsets: dict[tuple[Any, ...], Tensor] = {}
        self._beyond: dict[tuple[Any, ...], Tensor] = {}

    def forward(self, qkv: Tensor) -> Tensor:
        """Queries, keys, values [3, B, T, H, W, heads*d] -> attended values [B, T, H, W, heads*d].

        In a strip along time of more than 64 frames, more than a window has, a frame sees those of its own
        32 and 16 to either side: what is farther away costs the square of the length for hardly anything.
        """
        frames = qkv.shape[2]
        if self.along != _ALONG["temporal"] or frames <= _WHOLE:
            return self._attend(qkv)
        parts = []
        for start in range(0, frames, _CHUNK):
            seen = slice(max(0, start - _BESIDE), start + _CHUNK + _BESIDE)
            own = qkv[:1, :, start : start + _CHUNK]
            parts.append(self._attend(own, qkv[1:, :, seen], start - seen.start))
        return torch.cat(parts, dim=1)

    def _attend(self, asking: Tensor, seen: Tensor | None = None, shift: int = 0) -> Tensor:
        """Queries, keys and values of one volume, or queries alone that begin ``shift`` frames after the keys
        and values of another, which may differ from it in time.
        """
        own = tuple(asking.shape[2:5])
        other = own if seen is None else tuple(seen.shape[2:5])
        window, wide = self._window(own), self._window(other)
        padding = [-size % step for size, step in zip(own, window, strict=True)]
        padded = tuple(size + more for size, more in zip(own, padding, strict=True))
        q, *rest = _to_windows(_pad(asking, padding), window, self.heads)
        k, v = rest if seen is None else _to_windows(_pad(seen, padding), wide, self.heads)
        table = self._operations.value(self.bias, q)
        bias = self._position_bias(table, window, wide, shift).to(q.dtype)
        if any(padding):
            # No token may attend to a padded one; every clip of the batch has the same windows.
            key = (other, q.device)
            beyond = _kept(self._beyond, key, lambda: _padded_tokens(other, padding, wide, q.device))
            mask = bias.masked_fill(beyond, float("-inf"))
            q, k, v = (rearrange(t, "(b n) heads l d -> b n heads l d", n=len(mask)) for t in (q, k, v))
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            out = rearrange(out, "b n heads l d -> (b n) heads l d")
        else:
            # Fused kernels want exactly four dimensions.
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
        out = _from_windows(out, window, padded)
        return out[:, : own[0], : own[1], : own[2]]

    def _window(self, volume: tuple[int, ...]) -> tuple[int, ...]:
        """Size [t, h, w] of one strip: full length along, `strip` wide across, one elsewhere."""
        return tuple(
            size if axis == self.along else self.strip if axis in self.across else 1
            for axis, size in enumerate(volume)
        )

    def _position_bias(
        self, table: Tensor, window: tuple[int, ...], seen: tuple[int, ...], shift: int
    ) -> Tensor:
        """Learned bias [heads, L, L'] of every pair of tokens in a strip, by their offset.

        Offsets along the strip beyond the table share its last entry, so any length works.
        """
        key = (window, seen, shift, table.device)
        index = _kept(self._offsets, key, lambda: self._table_index(*key))
        return table.flatten(1).index_select(1, index.flatten()).unflatten(1, index.shape)

    def _table_index(
        self, window: tuple[int, ...], seen: tuple[int, ...], shift: int, device: torch.device
    ) -> Tensor:
        """Which column of the flattened table belongs to each pair of tokens, [L, L']."""
        asking, keys = (_positions(size, device) for size in (window, seen))
        offsets = asking[:, :, None] - keys[:, None, :]
        offsets[self.along] += shift
        reach = self.max_positions - 1
        along = offsets[self.along].clamp(-reach, reach) + reach
        across = torch.zeros_like(along)
        for axis in self.across:
            across = across * (2 * self.strip - 1) + offsets[axis] + self.strip - 1
        # One flat index: its gradient is a plain scatter, much cheaper than that of a two-index lookup.
        return along * self.bias.shape[2] + across


class STDA(nn.Module):
    """Spatio-Temporal Directional Attention, an exact identity until trained (reconstruction).

    The groups' outputs are scaled by a learned gate per direction, concatenated, mixed by a 1x1 projection
    that starts at zero, and added to the input.

    Args:
        channels: C of the input.
        heads: all heads together, at least one per direction; shared out evenly.
        strip: s, the width of a strip.
        directions: the directions in use. The parameters do not depend on it, so one set of weights can be
            ablated direction by direction; a direction that is off contributes zeros.
        max_positions: largest distance along a strip with a position bias of its own.
        operations: the layers it is built of.

    Raises:
        InputError: unknown direction, too few heads, or a strip or table smaller than one.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        strip: int = 2,
        directions: Sequence[str] = DIRECTIONS,
        max_positions: int = 64,
        operations: Operations = TORCH,
    ) -> None:
        super().__init__()
        self._operations = operations
        _check(heads, strip, directions, max_positions)
        self.directions = tuple(directions)
        # Heads of a multiple of eight channels: what fused attention kernels are made for.
        head_dim = max(8, channels // heads // 8 * 8)
        shares = [heads // 3 + (i < heads % 3) for i in range(3)]
        self.widths = [share * head_dim for share in shares]
        self.norm = operations.LayerNorm(channels)
        self.to_qkv = operations.Linear(channels, 3 * heads * head_dim, bias=False)
        self.strips = nn.ModuleDict(
            {
                name: StripAttention(name, share, strip, max_positions, operations)
                for name, share in zip(DIRECTIONS, shares, strict=True)
            }
        )
        self.gates = nn.Parameter(torch.ones(len(DIRECTIONS)))
        self.mix = zeroed(operations.Linear(heads * head_dim, channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T, H, W] -> same shape; any T, H, W from 1 up. All directions off: the input itself."""
        if not self.directions:
            return x
        tokens = rearrange(x, "b c t h w -> b t h w c")
        qkv = rearrange(self.to_qkv(self.norm(tokens)), "... (three width) -> three ... width", three=3)
        gates = self._operations.value(self.gates, x)
        groups = [
            self.strips[name](part) if name in self.directions else torch.zeros_like(part[0])
            for name, part in zip(DIRECTIONS, qkv.split(self.widths, dim=-1), strict=True)
        ]
        attended = _scaled(torch.cat(groups, dim=-1), self.widths, gates)
        # In x's own layout, as the input itself has it: convolutions sum another one in another order.
        return x + rearrange(self.mix(attended), "b t h w c -> b c t h w")


def _scaled(x: Tensor, widths: Sequence[int], scales: Tensor) -> Tensor:
    """Every group of channels of [..., C] times its own scale."""
    if len(set(widths)) == 1:
        return (x.unflatten(-1, (len(widths), -1)) * scales[:, None]).flatten(-2)
    return torch.cat([part * scale for part, scale in zip(x.split(widths, -1), scales, strict=True)], -1)


def _check(heads: int, strip: int, directions: Sequence[str], max_positions: int) -> None:
    unknown = [name for name in directions if name not in DIRECTIONS]
    if unknown:
        raise InputError(f"STDA has no direction {unknown[0]!r}: choose from {', '.join(DIRECTIONS)}.")
    if heads < len(DIRECTIONS):
        raise InputError(f"STDA needs at least one head per direction, 3 in all; it has {heads}.")
    if strip < 1 or max_positions < 1:
        raise InputError(
            f"STDA needs a strip width and a position table of at least 1, not {strip} and {max_positions}."
        )


def _positions(window: tuple[int, ...], device: torch.device) -> Tensor:
    """Where each token of a window is, [3, L]."""
    axes = [torch.arange(size, device=device) for size in window]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)


def _kept(tables: dict[tuple[Any, ...], Tensor], key: tuple[Any, ...], make: Callable[[], Tensor]) -> Tensor:
    """The table of a shape, made when the shape is first met; those of a few shapes are kept."""
    if key not in tables:
        if len(tables) >= _SHAPES_KEPT:
            del tables[next(iter(tables))]
        with torch.inference_mode(False):  # also a step with gradients may meet it later
            tables[key] = make()
    return tables[key]


def _padded_tokens(
    volume: tuple[int, ...], padding: list[int], window: tuple[int, ...], device: torch.device
) -> Tensor:
    """Which tokens of each window lie beyond the volume, [windows, 1, 1, L]."""
    inside = _to_windows(_pad(torch.ones(1, 1, *volume, 1, device=device), padding), window, 1) > 0
    return ~rearrange(inside, "1 n 1 l 1 -> n 1 1 l")


def _pad(x: Tensor, padding: Sequence[int]) -> Tensor:
    """Zero-pad the end of the T, H, W axes of [..., T, H, W, C]."""
    t, h, w = padding
    return F.pad(x, (0, 0, 0, w, 0, h, 0, t)) if any(padding) else x


def _to_windows(x: Tensor, window: tuple[int, ...], heads: int) -> Tensor:
    """[N, B, T, H, W, heads*d] -> [N, B*windows, heads, L, d] for windows of size [t, h, w], L = t*h*w."""
    t, h, w = window
    return rearrange(
        x,
        "n b (nt t) (nh h) (nw w) (heads d) -> n (b nt nh nw) heads (t h w) d",
        t=t,
        h=h,
        w=w,
        heads=heads,
    )


def _from_windows(x: Tensor, window: tuple[int, ...], volume: tuple[int, ...]) -> Tensor:
    """Inverse of `_to_windows`: [B*windows, heads, L, d] -> [B, T, H, W, heads*d]."""
    t, h, w = window
    nt, nh, nw = (size // step for size, step in zip(volume, window, strict=True))
    return rearrange(
        x,
        "(b nt nh nw) heads (t h w) d -> b (nt t) (nh h) (nw w) (heads d)",
        nt=nt,
        nh=nh,
        nw=nw,
        t=t,
        h=h,
        w=w,
    )
