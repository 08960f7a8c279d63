"""The columns of the report, as in the papers' tables."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A column: its key in the files, its title in tables, and which way is better (1, -1, 0 for neither)."""

    key: str
    title: str
    better: int
    digits: int = 3


SYNC_NETWORKS = ("mini", "syncnet_v2", "stable_syncnet")


def _sync_columns(network: str) -> list[Metric]:
    return [
        Metric(f"{network}_confidence", f"LSE-C ({network})", 1),
        Metric(f"{network}_distance", f"LSE-D ({network})", -1),
        Metric(f"{network}_offset", f"AV offset ({network})", 0, 1),
    ]


METRICS: tuple[Metric, ...] = (
    *(column for name in SYNC_NETWORKS for column in _sync_columns(name)),
    Metric("psnr", "PSNR, dB", 1, 2),
    Metric("ssim", "SSIM", 1, 4),
    Metric("lmd", "LMD", -1, 4),
    Metric("mouth_lmd", "M-LMD", -1, 4),
    Metric("dense_lmd", "LMD (478)", -1, 4),
    Metric("dense_mouth_lmd", "M-LMD (478)", -1, 4),
    Metric("lpips", "LPIPS", -1, 4),
    Metric("expression", "Acc_emo", 1, 3),
    Metric("jitter", "jitter", -1, 5),
    Metric("flicker", "flicker", -1, 5),
    Metric("warped", "warped difference", -1, 5),
)
