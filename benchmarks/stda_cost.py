"""What STDA costs as a clip grows, against attention over the whole space-time volume.

    python -m benchmarks.stda_cost            print the table
    python -m benchmarks.stda_cost --write    also record it in benchmarks/results/stda_cost.md

Both modules have the same norm, projections, heads and channels, so only the attention differs. The last
line fits time ~ (T*H*W)^p to the larger half of the sizes: p is 2 for full attention in theory, and between
1 and 2 for STDA, whose cost is THW (sW + sH + s^2 T).

Further tables have the growth in T alone at a fixed size, in FLOPs, which have no noise, and in time, beside
attention that is factorised in space and time, full attention, and a control that is linear by arithmetic:
the projections without any attention. What the control's exponent is above 1 is the machine's memory.
"""

from __future__ import annotations

import argparse
import copy
import math
import statistics
import time
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from eadnet.modules.stda import STDA

CHANNELS, HEADS, STRIP = 96, 3, 2
SIZES = [(4, 8, 8), (8, 8, 8), (8, 16, 8), (8, 16, 16), (16, 16, 16), (16, 32, 16)]
RESULTS = Path(__file__).parent / "results" / "stda_cost.md"


class FullAttention(nn.Module):
    """Every place of every frame attends to every other: [B, C, T, H, W] -> same."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.to_qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.mix = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(x.flatten(2).transpose(1, 2))
        q, k, v = self.to_qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return x + self.mix(out).transpose(1, 2).view(x.shape)


class FactorisedAttention(FullAttention):
    """Over the places of each frame, then over the frames at each place."""

    def forward(self, x: Tensor) -> Tensor:
        for axes in ("b c t h w -> (b t) (h w) c", "b c t h w -> (b h w) t c"):
            t, h, w = x.shape[2:]
            tokens = self.norm(rearrange(x, axes))
            q, k, v = self.to_qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            out = self.mix(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
            x = x + rearrange(out, " -> ".join(reversed(axes.split(" -> "))), t=t, h=h, w=w)
        return x


class Projections(FullAttention):
    """The norm and the projections alone, as long as STDA's: linear in the number of tokens."""

    def forward(self, x: Tensor) -> Tensor:
        _, _, v = self.to_qkv(self.norm(rearrange(x, "b c t h w -> b t h w c"))).chunk(3, dim=-1)
        return x + rearrange(self.mix(v), "b t h w c -> b c t h w")


def seconds(module: nn.Module, x: Tensor, repeats: int) -> float:
    """Processor time of one forward pass: the least of several, so that a busy machine matters little."""
    times = []
    with torch.inference_mode():
        module(x)
        for _ in range(repeats):
            start = time.thread_time()
            module(x)
            times.append(time.thread_time() - start)
    return min(times)


def exponent(tokens: list[int], times: list[float]) -> float:
    """Slope of log time over log tokens, by least squares."""
    xs, ys = [math.log(n) for n in tokens], [math.log(t) for t in times]
    return statistics.linear_regression(xs, ys).slope


FRAMES = (16, 32, 64, 128, 256)
MOST_TOKENS = 16384  # that full attention is given


def flop_count(module: nn.Module, shape: tuple[int, ...]) -> int:
    """Of a forward pass, counted on torch's meta device; the network is left there."""
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        module.to("meta")(torch.empty(shape, device="meta"))
    return counted.get_total_flops()


def growth(side: int, frames: tuple[int, ...], rounds: int) -> list[str]:
    """A table of FLOPs and, with rounds, of processor time over T at one size; the ways take turns."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    heads = 2 * HEADS
    modules = {
        "STDA": STDA(CHANNELS, heads, STRIP).eval(),
        "factorised": FactorisedAttention(CHANNELS, heads).eval(),
        "full": FullAttention(CHANNELS, heads).eval(),
        "projections alone": Projections(CHANNELS, heads).eval(),
    }
    flops: dict[str, list[int]] = {name: [] for name in modules}
    times: dict[str, list[float]] = {name: [] for name in modules}
    for t in frames:
        x = torch.randn(1, CHANNELS, t, side, side)
        given = {name: m for name, m in modules.items() if name != "full" or t * side * side <= MOST_TOKENS}
        for name, module in modules.items():
            flops[name].append(flop_count(copy.deepcopy(module), tuple(x.shape)))
        best = dict.fromkeys(given, math.inf)
        for _ in range(rounds):
            for name, module in given.items():
                best[name] = min(best[name], seconds(module, x, 1))
        for name, value in best.items() if rounds else ():
            times[name].append(value)
    head = " | ".join(f"T={t}" for t in frames)
    lines = [f"| {side} x {side} | | {head} | exponent |", "|---|---|" + "---:|" * (len(frames) + 1)]
    for name in modules:
        for what, values, scale in (("GFLOP", flops[name], 1e-9), ("ms", times[name], 1e3)):
            if not values:
                continue
            cells = [f"{scale * value:.3g}" for value in values] + [""] * (len(frames) - len(values))
            slope = (
                exponent(list(frames[: len(values)]), [float(v) for v in values])
                if len(values) > 1
                else math.nan
            )
            lines.append(f"| {name} | {what} | {' | '.join(cells)} | {slope:.2f} |")
    return lines


def measure(sizes: list[tuple[int, int, int]], repeats: int) -> str:
    """The table as Markdown."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # thread_time counts this thread only
    stda, full = STDA(CHANNELS, HEADS, STRIP).eval(), FullAttention(CHANNELS, HEADS).eval()
    lines = [
        "| T x H x W | tokens | STDA pairs/token | STDA ms | full 3-D ms | full / STDA |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    tokens, stda_times, full_times = [], [], []
    for t, h, w in sizes:
        x = torch.randn(1, CHANNELS, t, h, w)
        tokens.append(t * h * w)
        stda_times.append(seconds(stda, x, repeats))
        full_times.append(seconds(full, x, repeats))
        pairs = STRIP * w + STRIP * h + STRIP**2 * t
        lines.append(
            f"| {t} x {h} x {w} | {tokens[-1]} | {pairs} | {1e3 * stda_times[-1]:.2f} "
            f"| {1e3 * full_times[-1]:.2f} | {full_times[-1] / stda_times[-1]:.1f} |"
        )
    half = len(sizes) // 2
    slopes = [exponent(tokens[half:], times[half:]) for times in (stda_times, full_times)]
    lines += ["", f"time ~ tokens^p: p = {slopes[0]:.2f} for STDA, {slopes[1]:.2f} for full 3-D attention"]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="record the table in benchmarks/results")
    parser.add_argument(
        "--repeats", type=int, default=3, help="forward passes per size; 0 counts FLOPs alone"
    )
    parser.add_argument("--sides", type=int, nargs="*", default=[16, 32], help="of the tables of growth in T")
    arguments = parser.parse_args()
    table = measure(SIZES, arguments.repeats) if arguments.repeats else ""
    for side in arguments.sides:
        table += "\n\n" + "\n".join(growth(side, FRAMES, arguments.repeats))
    print(table)
    if arguments.write:
        header = (
            "# Cost of STDA against full 3-D attention\n\n"
            f"One forward pass, {CHANNELS} channels, {HEADS} heads, strip {STRIP}, float32, processor time "
            f"of one thread, torch {torch.__version__}, best of {arguments.repeats}.\n"
            "Reproduce with `python -m benchmarks.stda_cost --write`.\n\n"
        )
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(header + table + "\n")


if __name__ == "__main__":
    main()
