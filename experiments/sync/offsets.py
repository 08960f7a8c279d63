"""`mini`'s SyncNet against known offsets and other sounds, on pictures of several kinds."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from eadnet.checkpoints import bundled_mini, load_checkpoint
from eadnet.faces.detectors import yunet
from eadnet.faces.detectors.yunet import YuNet
from eadnet.faces.tracking import detect_faces, track_face
from eadnet.metrics.face_crops import face_crops, syncnet_track
from eadnet.metrics.intervals import mean_interval, separation, share_interval
from eadnet.metrics.sync import sweep
from eadnet.modules.mini_audio import speech_log_mel
from eadnet.modules.mini_syncnet import MiniSyncNet
from eadnet.training.data.images import to_model_range
from experiments.sync.clips import CLIPS, VALIDATION_CLIPS, Bench, EmbeddedClips


def _mean(values: list[float]) -> str:
    interval = mean_interval(values)
    return f"{interval.mean:.3f} ± {interval.half_width:.3f}"


TABLE = (
    "| pictures | clips | offset exact | within 1 frame | AUC | confidence, own sound | another's sound "
    "| offset 0 with another's sound |",
    "|---|---:|---:|---:|---:|---:|---:|---:|",
)


def row_of(name: str, embedded: EmbeddedClips) -> str:
    exact, near, count = embedded.offsets()
    own, other, zero = embedded.confidences()
    share = share_interval(exact, count)
    return (
        f"| {name} | {len(embedded.sounds)} | {exact} of {count} ({100 * share.mean:.1f} %) "
        f"| {100 * near / count:.1f} % | {separation(own, other):.3f} "
        f"| {_mean(own)} | {_mean(other)} | {zero} |"
    )


def offsets(bench: Bench) -> list[str]:
    return [*TABLE, row_of("as rendered", EmbeddedClips(bench.network(), bench.clips("test"), CLIPS))]


def codec(bench: Bench) -> list[str]:
    vae = load_checkpoint(bundled_mini(), only={"vae"}).component("vae")
    count = bench.options.codec_clips

    @torch.no_grad()
    def coded(pictures: Tensor) -> Tensor:
        frames = to_model_range(pictures.movedim(1, -1).numpy())
        return torch.cat([vae.decode(vae.encode(part)).clamp(-1, 1) / 2 + 0.5 for part in frames.split(25)])

    embedded = EmbeddedClips(bench.network(), bench.clips("test", count), count, coded)
    return [*TABLE, row_of("through mini's autoencoder", embedded)]


def tracked(bench: Bench) -> list[str]:
    def cropped(pictures: Tensor) -> Tensor:
        detector = YuNet(bench.options.models / yunet.FILE)
        track = track_face(detect_faces(iter(pictures.movedim(1, -1).numpy()), detector), "portrait", 128)
        return face_crops(pictures, syncnet_track(track, "mini"))[:]

    count = bench.options.codec_clips
    embedded = EmbeddedClips(bench.network(), bench.clips("test", count), count, cropped)
    return [*TABLE, row_of("cropped by the tracker", embedded)]


def untrained(bench: Bench) -> list[str]:
    torch.manual_seed(0)
    row = row_of(
        "control: the same network, untrained", EmbeddedClips(MiniSyncNet(), bench.clips("test"), CLIPS)
    )
    return [*TABLE, row]


def mark(bench: Bench) -> list[str]:
    """The confidence that few mismatched clips reach, chosen on validation clips and tested on test clips."""
    network = bench.network()
    chosen = EmbeddedClips(
        network, bench.clips("validation", VALIDATION_CLIPS), VALIDATION_CLIPS
    ).mismatched()
    own, _, _ = (embedded := EmbeddedClips(network, bench.clips("test"), CLIPS)).confidences()
    mismatched = embedded.mismatched()
    lines = [
        "| mark, chosen on validation | reached by | own sound, test | another's sound, test |",
        "|---:|---:|---:|---:|",
    ]
    for share in (0.95, 0.99):
        bar = float(np.quantile(chosen, share))
        lines.append(
            f"| {bar:.3f} | {100 * (1 - share):.0f} % of other sounds, validation "
            f"| {_above(own, bar)} | {_above(mismatched, bar)} |"
        )
    bar = network.confident
    lines.append(f"| {bar:.3f} | in use | {_above(own, bar)} | {_above(mismatched, bar)} |")
    return lines


def short(bench: Bench) -> list[str]:
    """What the mark in use is worth on the beginnings of test clips."""
    network, lines = (
        bench.network(),
        [
            "| frames | own sound above the mark | another's sound above it | own sound, offset exact |",
            "|---:|---:|---:|---:|",
        ],
    )
    embedded = EmbeddedClips(network, bench.clips("test"), VALIDATION_CLIPS)
    with torch.no_grad():
        audio_parts = [network.embed_audio(speech_log_mel(sound)[None])[0] for sound in embedded.sounds]
    for length in (10, 15, 25, 50, 75):
        own: list[float] = []
        other: list[float] = []
        exact = 0
        for row, video in enumerate(embedded.video):
            for column, audio in enumerate(audio_parts):
                count = min(length - 4, len(video), len(audio))
                score = sweep(video[:count], audio[:count], silence_beyond_ends=False)
                (own if row == column else other).append(score.confidence)
                exact += row == column and score.offset == 0
        lines.append(
            f"| {length} | {_above(own, network.confident)} | {_above(other, network.confident)} "
            f"| {exact} of {len(own)} |"
        )
    return lines


def _above(values: list[float], bar: float) -> str:
    hits = sum(value > bar for value in values)
    return f"{100 * hits / len(values):.1f} % ({hits} of {len(values)})"
