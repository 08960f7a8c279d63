"""TFRM, Temporal Frame graph Reasoning Module: frames as the nodes of a graph whose edges are learned.

The EAD-Net paper (arXiv 2604.23325) names the module and says that it learns the graph structure between
frames; the formulas below are our reconstruction.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError
from ..finite import check_result
from ..network_config import has_no_memory

# Frames of a clip that are refined together, counted from its start, so that every way through a clip meets
# the same pieces and rounds alike.
PIECE = 64


class GraphConvolution(nn.Module):
    """Residual graph convolution: h + W2 SiLU(W1 norm(A h)), for h [B, T, D] and A [B, T, T]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear_1 = nn.Linear(width, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, h: Tensor, adjacency: Tensor) -> Tensor:
        return h + self.linear_2(F.silu(self.linear_1(self.norm(adjacency @ h))))


class TFRM(nn.Module):
    """Passes information between the frames of a clip along a learned sparse graph.

    With h_i the features of frame i (a small convolutional encoder, pooled over the frame):

        A = softmax over the top k of  q_i . k_j / sqrt(d) + b(|i - j|),  |i - j| <= reach
        h <- graph convolutions over A
        x_i <- x_i + strength * out( gate(h_i) * sum_j A_ij (phi(x_j) - phi(x_i)) )

    phi and out are 1x1 convolutions, so messages stay in place. They carry differences between frames
    (the graph Laplacian), which leaves a still clip and a single frame untouched whatever was learned.
    `out` starts at zero: untrained, the module is an exact identity. With `local`, the gate also depends on
    the place: on what a frame shows there and how the frames around it differ, through two 3x3 convolutions.
    Without it a frame is smoothed as much where the lips move as where a cheek only shimmers.

    Args:
        channels: channels of the latents.
        hidden: width of the features and of the messages.
        top_k: edges each frame keeps, itself included; more than there are frames keeps all.
        layers: graph convolutions.
        temporal_prior: whether scores include b. Without it the module does not see the order of the frames.
        max_distance: distances from this one on share one entry of b.
        local: whether the gate also depends on the place.
        reach: how far apart frames may be to share an edge; None is any distance. It bounds what a frame
            depends on, so that clips of any length can be refined in pieces (see `smooth_stream`).
    """

    def __init__(
        self,
        channels: int = 4,
        hidden: int = 32,
        top_k: int = 8,
        layers: int = 2,
        temporal_prior: bool = True,
        max_distance: int = 64,
        reach: int | None = 16,
        local: bool = False,
    ) -> None:
        super().__init__()
        _check_top_k(top_k)
        self.config: dict[str, Any] = {
            "channels": channels,
            "hidden": hidden,
            "top_k": top_k,
            "layers": layers,
            "temporal_prior": temporal_prior,
            "max_distance": max_distance,
            "reach": reach,
            "local": local,
        }
        self.channels = channels
        self.top_k = top_k
        self.reach = reach
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, hidden, kernel_size=3, padding=1),
            nn.SiLU(),
            nn.Conv2d(hidden, hidden, kernel_size=3, stride=2, padding=1),
            nn.SiLU(),
        )
        self.norm = nn.LayerNorm(hidden)
        self.to_q = nn.Linear(hidden, hidden, bias=False)
        self.to_k = nn.Linear(hidden, hidden, bias=False)
        # Starts by preferring neighbours; one entry per distance, so it can learn any other preference.
        prior = torch.empty(max_distance + 1)
        if not has_no_memory():
            prior = -0.25 * torch.arange(max_distance + 1.0)
        self.prior = nn.Parameter(prior) if temporal_prior else None
        self.graph = nn.ModuleList(GraphConvolution(hidden) for _ in range(layers))
        self.to_gate = nn.Linear(hidden, hidden)
        self.local_gate = (
            nn.Sequential(
                nn.Conv2d(2 * channels, hidden, kernel_size=3, padding=1),
                nn.SiLU(),
                nn.Conv2d(hidden, hidden, kernel_size=3, padding=1),
            )
            if local
            else None
        )
        self.phi = nn.Conv2d(channels, hidden, kernel_size=1, bias=False)
        self.out = nn.Conv2d(hidden, channels, kernel_size=1, bias=False)
        nn.init.zeros_(self.out.weight)

    @property
    def halo(self) -> int | None:
        """How many frames to either side a refined frame depends on; None is all of them."""
        return None if self.reach is None else self.reach * max(1, len(self.graph))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TFRM:
        """Build from the constructor's arguments as a mapping."""
        return cls(**config)

    def forward(
        self, latents: Tensor, strength: float = 1.0, top_k: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Refine the frames of a clip.

        Args:
            latents: [B, C, T, h, w].
            strength: scale of the residual in [0, 1]; 0 returns the latents unchanged.
            top_k: edges per frame; None uses the configured number.

        Returns:
            (latents [B, C, T, h, w], adjacency [B, T, T] whose rows sum to 1).

        Raises:
            InputError: wrong shape, strength outside [0, 1], or top_k below 1.
        """
        if latents.ndim != 5 or latents.shape[1] != self.channels:
            raise InputError(
                f"TFRM takes latents of shape [batch, {self.channels}, frames, height, width], not "
                f"{list(latents.shape)}."
            )
        if not 0.0 <= strength <= 1.0:
            raise InputError(f"TFRM's strength must be between 0 and 1, not {strength}.")
        top_k = self.top_k if top_k is None else top_k
        _check_top_k(top_k)

        frames = rearrange(latents, "b c t h w -> b t c h w").to(self.out.weight.dtype)
        features = self._features(frames)
        adjacency = self._adjacency(features, top_k)
        for layer in self.graph:
            features = layer(features, adjacency)
        gate = torch.sigmoid(self.to_gate(features))

        # phi is linear, so the differences are gathered first, on few channels, and projected afterwards.
        batch, _, channels, height, _ = frames.shape
        pixels = rearrange(frames, "b t c h w -> b t (c h w)")
        differences = rearrange(
            adjacency @ pixels - pixels, "b t (c h w) -> (b t) c h w", c=channels, h=height
        )
        messages = self.phi(differences) * rearrange(gate, "b t d -> (b t) d 1 1")
        if self.local_gate is not None:
            shown = rearrange(frames, "b t c h w -> (b t) c h w")
            messages = messages * torch.sigmoid(self.local_gate(torch.cat([shown, differences], dim=1)))
        residual = rearrange(self.out(messages), "(b t) c h w -> b c t h w", b=batch)
        return latents + strength * residual.to(latents.dtype), adjacency

    def _features(self, frames: Tensor) -> Tensor:
        """Normalised node features [B, T, D] of frames [B, T, C, h, w]."""
        pooled = self.encoder(rearrange(frames, "b t c h w -> (b t) c h w")).mean(dim=(2, 3))
        return rearrange(self.norm(pooled), "(b t) d -> b t d", b=frames.shape[0])

    def _adjacency(self, features: Tensor, top_k: int) -> Tensor:
        """Row-stochastic graph [B, T, T] with at most top_k edges per row."""
        count = features.shape[1]
        queries, keys = self.to_q(features), self.to_k(features)
        scores = queries @ rearrange(keys, "b t d -> b d t") / math.sqrt(features.shape[2])
        index = torch.arange(count, device=features.device)
        distance = (index[:, None] - index).abs()
        if self.prior is not None:
            scores = scores + self.prior[distance.clamp(max=self.prior.numel() - 1)]
        if self.reach is not None:
            scores = scores.masked_fill(distance > self.reach, float("-inf"))
        if top_k < count:
            kept = scores.topk(top_k, dim=-1).indices
            dropped = torch.ones_like(scores, dtype=torch.bool).scatter(-1, kept, False)
            scores = scores.masked_fill(dropped, float("-inf"))
        return scores.softmax(dim=-1)


def _check_top_k(top_k: int) -> None:
    if top_k < 1:
        raise InputError(f"top_k must be at least 1, not {top_k}.")


def needed_from(tfrm: TFRM | None, frame: int) -> int:
    """The first frame whose latents are needed to refine a clip from ``frame`` on with `smooth_stream`."""
    if tfrm is None:
        return frame
    return 0 if tfrm.halo is None else max(0, frame // PIECE * PIECE - tfrm.halo)


@torch.no_grad()
def smooth_stream(
    tfrm: TFRM,
    latents: Iterable[Tensor],
    num_frames: int,
    *,
    strength: float = 1.0,
    top_k: int | None = None,
    first_frame: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Refine the frames of a clip of any length piece by piece.

    Each piece is refined together with the frames around it that it depends on, so the result is that of the
    whole clip at once, in memory that does not grow with its length (unless ``reach`` is None).

    Args:
        latents: stretches [n, C, h, w] of consecutive frames, from `needed_from(tfrm, first_frame)` on.
        num_frames: frames of the whole clip.
        strength, top_k: as in `TFRM.forward`.
        first_frame: the first frame to give out.

    Yields:
        (refined latents [n, C, h, w], edges [n, 2 reach + 1]) of consecutive stretches:
        ``edges[i, reach + d]`` is how much frame i learned from the frame d later. Without a reach,
        it counts as num_frames - 1.

    Raises:
        InputError: a result that is not finite, and what `TFRM.forward` refuses.
    """
    halo = num_frames if tfrm.halo is None else tfrm.halo
    reach = num_frames - 1 if tfrm.reach is None else tfrm.reach
    piece = num_frames if tfrm.halo is None else PIECE
    source = iter(latents)
    held: Tensor | None = None
    begin = needed_from(tfrm, first_frame)  # the number of the first frame held
    for start in range(first_frame // piece * piece, num_frames, piece):
        stop = min(start + piece, num_frames)
        left, right = max(0, start - halo), min(num_frames, stop + halo)
        parts = [] if held is None else [held[left - begin :]]
        have = sum(map(len, parts))
        while have < right - left:
            parts.append(next(source))
            have += len(parts[-1])
        held, begin = torch.cat(parts), left
        seen = rearrange(held[: right - left], "t c h w -> 1 c t h w")
        refined, graph = tfrm(seen, strength, top_k)
        check_result(refined, "TFRM", "go on without it (smoothing 0), or download the checkpoint again")
        skip = max(0, first_frame - start)
        inside = slice(start + skip - left, stop - left)
        yield rearrange(refined, "1 c t h w -> t c h w")[inside], _band(graph[0], inside, reach)


def _band(graph: Tensor, rows: slice, reach: int) -> Tensor:
    """The edges of some rows of a graph [n, n] by distance, [rows, 2 reach + 1]; 0 beyond the ends."""
    padded = F.pad(graph[rows], (reach, reach))
    first = torch.arange(rows.start, rows.stop, device=graph.device)[:, None]
    return padded.gather(1, first + torch.arange(2 * reach + 1, device=graph.device))


def graph_of(edges: Tensor) -> Tensor:
    """The whole graph [T, T] from the edges [T, 2 reach + 1] of `smooth_stream`."""
    count, reach = len(edges), edges.shape[1] // 2
    graph = edges.new_zeros(count, count + 2 * reach)
    index = torch.arange(count, device=edges.device)[:, None]
    offsets = torch.arange(2 * reach + 1, device=edges.device)
    return graph.scatter_(1, index + offsets, edges)[:, reach : reach + count]
