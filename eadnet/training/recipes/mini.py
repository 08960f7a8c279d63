"""The recipe of the bundled `mini` model, from nothing to one checkpoint file, in resumable stages."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..checkpoints import load_checkpoint, save_checkpoint
from ..errors import InputError
from ..faces.masks import mask_image
from ..modules.autoencoder import MiniAutoencoder
from ..modules.mini_audio import MiniAudioEncoder
from ..modules.mini_syncnet import MiniSyncNet
from ..modules.text_encoder import MiniTextEncoder
from ..modules.tfrm import TFRM
from ..modules.unet import EADUNet
from ..presets import PRESETS
from .autoencoder import to_model_range, train_autoencoder
from .block import Block
from .dataset import OTHER_VOICES, ClipSet, Shape, render_dataset, render_stills
from .decoder import teach_decoder_on
from .denoiser import TAUGHT_SHARED_NOISE, DenoiserTask, Diffusion, Schedule, train_denoiser
from .encoders import pretrain_audio, pretrain_text, teach_audio_on, teach_text_on
from .latents import LatentSet, LatentStills, encode_dataset, encode_stills
from .losses.weights import Judges, Weights, build
from .probe import Targets, train_probe
from .sampled import bank
from .samples import SampleVideos
from .smoother import train_smoother
from .spoken import SpeechSet, make_other_voices, make_speech
from .syncnet import train_syncnet
from .talker import Talker, grown
from .videomae import train_videomae

logger = logging.getLogger(__name__)

TEST_CLIPS = 64
HEARD_RECORDINGS = 400
FEATURES, APART = "features", "apart"
ALIKE = ("lid_tighten", "cheek_raise")  # both narrow the eye, and clips of emotions hardly tell which did
BANK = 64  # windows that the denoiser samples for TFRM


@dataclass(frozen=True)
class Budget:
    """Sizes and minutes of the stages; clips and speech of training have seeds from `first_seed`.

    voices: other speakers who say every training clip. changing: share of clips whose feeling changes.
    features: clips more, with sentences that name single features and no feeling.
    apart: clips more of that kind, with narrowed eyes or raised cheeks and never both.
    """

    people: int = 2000
    clips: int = 1500
    held_out_clips: int = 96
    frames: int = 32
    spoken: int = 16000
    voices: int = 3
    changing: float = 0.1
    features: int = 0
    apart: int = 0
    first_seed: int = 0
    autoencoder: float = 35.0
    decoder: float = 14.0
    probe: float = 6.0
    text: float = 5.0
    audio: float = 15.0
    denoiser: float = 70.0
    smoother: float = 3.0
    syncnet: float = 30.0
    videomae: float = 10.0


def render(folder: Path, budget: Budget, workers: int) -> None:
    """Stills for the autoencoder, clips for the denoiser, speech for its encoder; what is there is kept."""
    if not (folder / "stills" / "stills.npy").exists():
        render_stills(folder / "stills", budget.people, workers=workers)
    first, changing = budget.first_seed, budget.changing
    _render_clips(folder / "validation", "validation", Shape(budget.held_out_clips, budget.frames), workers)
    _render_clips(folder / "train", "train", Shape(budget.clips, budget.frames), workers, first, changing)
    if budget.features:
        shape = Shape(budget.features, budget.frames)
        beyond = first + budget.clips
        _render_clips(folder / FEATURES, "train", shape, workers, beyond, changing, kind="features")
    if budget.apart:
        shape = Shape(budget.apart, budget.frames)
        beyond = first + budget.clips + 10 * budget.features  # one sentence in seven is of that kind
        _render_clips(folder / APART, "train", shape, workers, beyond, changing, kind="features", apart=ALIKE)
    for split, count in (("validation", HEARD_RECORDINGS), ("train", budget.spoken)):
        if not (folder / "speech" / split / "mouths.npy").exists():
            seed = first if split == "train" else 0
            make_speech(folder / "speech" / split, split, count, first_seed=seed, workers=workers)
    for name in _taught(budget):
        if budget.voices and not (folder / name / OTHER_VOICES).exists():
            make_other_voices(folder / name, budget.voices, workers=workers)


def _render_clips(
    folder: Path,
    split: str,
    shape: Shape,
    workers: int,
    first_seed: int = 0,
    changing: float = 0.0,
    kind: str | None = None,
    apart: tuple[str, str] | None = None,
) -> None:
    if not (folder / "texts.json").exists():
        render_dataset(
            folder,
            split,
            shape,
            first_seed=first_seed,
            workers=workers,
            changing=changing,
            kind=kind,
            apart=apart,
        )
        logger.info("rendered %d clips into %s", shape.clips, folder)


def _taught(budget: Budget) -> tuple[str, ...]:
    """Folders of the clips that the denoiser learns from."""
    more = {FEATURES: budget.features, APART: budget.apart}
    return ("train", *(name for name, count in more.items() if count))


def autoencoder(folder: Path, budget: Budget, start: Path | None = None) -> None:
    """Train the autoencoder, from the one in the checkpoint `start` if there is one."""
    first = load_checkpoint(start, only=["vae"]).component("vae") if start else None
    stills = folder / "stills" / "stills.npy"
    model = train_autoencoder(stills, folder / "vae", minutes=budget.autoencoder, start=first)
    torch.save(model.state_dict(), folder / "vae" / "model.pt")


def decoder(folder: Path, budget: Budget) -> None:
    """Teach the decoder of the autoencoder on with clips; latents stay what they were."""
    clips, held_out = ClipSet(folder / "train"), ClipSet(folder / "validation")
    model = teach_decoder_on(
        load_autoencoder(folder), clips, held_out, folder / "decoder", minutes=budget.decoder
    )
    torch.save(model.state_dict(), folder / "vae" / "model.pt")


def load_autoencoder(folder: Path) -> MiniAutoencoder:
    model = MiniAutoencoder()
    model.load_state_dict(torch.load(folder / "vae" / "model.pt", weights_only=True))
    return model.eval()


def encode(folder: Path, budget: Budget, workers: int) -> None:
    vae = load_autoencoder(folder)
    for split in ("validation", *_taught(budget)):
        encode_dataset(folder / split, vae, folder / "latents" / split, workers)
    encode_stills(folder / "stills", vae, folder / "latents" / "stills")


def new_talker(start: Path | None = None) -> Talker:
    """The networks of the preset, untrained, or those of the checkpoint `start`, with an audio encoder of
    the preset's size.
    """
    if start:
        parts = load_checkpoint(start)
        unet, audio, text = (parts.component(name) for name in ("unet", "audio_encoder", "text_encoder"))
        return Talker(unet, grown(audio, PRESETS["mini"].audio_config), text).train()
    torch.manual_seed(0)
    return untrained_talker()


def untrained_talker() -> Talker:
    """The networks of the preset with random weights."""
    preset = PRESETS["mini"]
    return Talker(
        EADUNet.from_config(preset.unet_config),
        MiniAudioEncoder.from_config(preset.audio_config),
        MiniTextEncoder.from_config(preset.text_config),
    )


def lessons(folder: Path, budget: Budget) -> LatentSet:
    """All clips that the denoiser learns from, as one set."""
    data, *more = (LatentSet(folder / "latents" / name, folder / name) for name in _taught(budget))
    for other in more:
        data.append(other)
    return data


def denoiser_task(
    folder: Path, budget: Budget, start: Path | None = None
) -> tuple[DenoiserTask, LatentSet, LatentSet]:
    """The talker with its conditions' encoders and the probe ready, and the two data sets.

    Raises InputError where encoders that begin at nothing would get no minutes.
    """
    if not start and not (budget.text > 0 and budget.audio > 0):
        raise InputError("New encoders need minutes: give `text` and `audio` more than 0, or --start.")
    preset = PRESETS["mini"]
    data = lessons(folder, budget)
    held_out = LatentSet(folder / "latents" / "validation", folder / "validation")
    targets = Targets.of(data)
    block = Block.around(mask_image(preset.mask_region, preset.resolution))
    stills = LatentStills(folder / "latents" / "stills", folder / "stills")
    probe = train_probe(data, stills, targets, block, folder / "probe", budget.probe)
    talker = new_talker(start)
    spoken, heard = (SpeechSet(folder / "speech" / s) for s in ("train", "validation"))
    words, sounds = folder / "text", folder / "audio"
    if start:
        known = load_checkpoint(start, only=["audio_encoder", "text_encoder"])
        text, audio = (known.component(name) for name in ("text_encoder", "audio_encoder"))
        if budget.text > 0:
            teach_text_on(talker.text_encoder, text, targets, words, budget.text)
        if budget.audio > 0:
            teach_audio_on(talker.audio_encoder, audio, spoken, heard, sounds, budget.audio)
    else:
        pretrain_text(talker.text_encoder, targets, words, budget.text)
        pretrain_audio(talker.audio_encoder, spoken, heard, sounds, budget.audio)
    task = DenoiserTask(
        talker,
        probe,
        targets,
        Diffusion.of(preset.scheduler_config),
        size=preset.resolution,
        shared_noise=TAUGHT_SHARED_NOISE,
    )
    return task, data, held_out


def denoiser(
    folder: Path,
    budget: Budget,
    start: Path | None = None,
    how: Schedule | None = None,
    weights: Weights | None = None,
) -> None:
    """Train the talker; the judges of losses that are weighed are trained first where they are missing."""
    how, weights = how or Schedule(), weights or Weights()
    task, data, held_out = denoiser_task(folder, budget, start)
    how = replace(how, minutes=budget.denoiser, stda_from=0.0 if start else how.stda_from)
    task.to(how.device)
    extra = build(weights, task, judges(folder, budget, task))
    videos = SampleVideos(task, load_autoencoder(folder), held_out, folder / "denoiser" / "samples")
    talker = train_denoiser(task, data, held_out, folder / "denoiser", how, extra, videos)
    torch.save(talker.state_dict(), folder / "denoiser" / "model.pt")


def judges(folder: Path, budget: Budget, task: DenoiserTask) -> Judges:
    """The frozen networks behind the losses, from their stages' folders."""
    return Judges(
        vae=lambda: load_autoencoder(folder),
        syncnet=lambda: load_syncnet(folder, budget),
        videomae=lambda: train_videomae(
            ClipSet(folder / "train"), task.block, folder / "videomae", minutes=budget.videomae
        ),
        tfrm=lambda: load_smoother(folder, budget),
    )


def new_smoother() -> TFRM:
    torch.manual_seed(0)
    return TFRM.from_config(PRESETS["mini"].tfrm_config)


def smoother(folder: Path, budget: Budget, sampled: float = 0.0) -> None:
    """Train TFRM; `sampled` is the share of its batches that are the finished denoiser's own samples.

    A TFRM that was a judge of the denoiser goes on from there when it gets samples.
    """
    data, held_out = (LatentSet(folder / "latents" / s, folder / s) for s in ("train", "validation"))
    model, where, pairs = new_smoother(), "smoother", None
    if sampled > 0:
        task, _, _ = denoiser_task(folder, budget)
        task.talker.load_state_dict(talker_weights(folder))
        task.talker.eval()
        pairs = bank(task, data, BANK, torch.Generator().manual_seed(6))
        if (folder / "smoother" / "model.pt").exists():
            weights = torch.load(folder / "smoother" / "model.pt", weights_only=True)
            model.load_state_dict(weights)
        where = "smoother_sampled"
    model = train_smoother(
        model,
        data,
        held_out,
        folder / where,
        minutes=budget.smoother,
        sampled=pairs,
        sampled_share=sampled,
    )
    (folder / "smoother").mkdir(exist_ok=True)
    torch.save(model.state_dict(), folder / "smoother" / "model.pt")


def load_smoother(folder: Path, budget: Budget) -> TFRM:
    """The TFRM of its stage, trained now if it was not yet."""
    if not (folder / "smoother" / "model.pt").exists():
        smoother(folder, budget)
    model = new_smoother()
    model.load_state_dict(torch.load(folder / "smoother" / "model.pt", weights_only=True))
    return model.eval()


def load_syncnet(folder: Path, budget: Budget) -> MiniSyncNet:
    """The SyncNet of its stage, trained now if it was not yet."""
    if not (folder / "syncnet" / "model.pt").exists():
        syncnet(folder, budget)
    model = MiniSyncNet()
    model.load_state_dict(torch.load(folder / "syncnet" / "model.pt", weights_only=True))
    return model.eval()


def syncnet(folder: Path, budget: Budget) -> None:
    clips, held_out = ClipSet(folder / "train"), ClipSet(folder / "validation")
    model = train_syncnet(clips, held_out, folder / "syncnet", minutes=budget.syncnet)
    torch.save(model.state_dict(), folder / "syncnet" / "model.pt")


@torch.no_grad()
def latent_to_rgb(vae: MiniAutoencoder, pictures: Tensor) -> list[list[float]]:
    """Least-squares map from a latent site (4 values and a one) to its mean colour, 0 ... 1."""
    latents = vae.encode(pictures)
    colours = (torch.nn.functional.avg_pool2d(pictures, 8) + 1) / 2
    x = latents.permute(0, 2, 3, 1).reshape(-1, 4)
    x = torch.cat([x, torch.ones(len(x), 1)], 1)
    return torch.linalg.lstsq(x, colours.permute(0, 2, 3, 1).reshape(-1, 3)).solution.tolist()


def talker_weights(folder: Path) -> dict[str, Tensor]:
    """The finished model, or the running average of a training still under way."""
    done = folder / "denoiser" / "model.pt"
    if done.exists():
        return torch.load(done, weights_only=True)
    return torch.load(folder / "denoiser" / "state.pt", weights_only=True)["average"]


def assemble(folder: Path, destination: Path, notes: dict[str, Any]) -> None:
    """Write the one-file checkpoint from the stages' results."""
    preset = PRESETS["mini"]
    vae, talker = load_autoencoder(folder), new_talker()
    talker.load_state_dict(talker_weights(folder))
    tfrm = new_smoother()
    tfrm.load_state_dict(torch.load(folder / "smoother" / "model.pt", weights_only=True))
    components: dict[str, nn.Module] = {
        "unet": talker.unet,
        "vae": vae,
        "audio_encoder": talker.audio_encoder,
        "text_encoder": talker.text_encoder,
        "tfrm": tfrm,
    }
    judge = folder / "syncnet" / "model.pt"
    if judge.exists():
        components["syncnet"] = MiniSyncNet()
        components["syncnet"].load_state_dict(torch.load(judge, weights_only=True))
    stills = np.load(folder / "stills" / "stills.npy", mmap_mode="r")
    info = {
        "preset": preset.name,
        "resolution": preset.resolution,
        "fps": 25,
        "mask_region": preset.mask_region,
        "scheduler": preset.scheduler_config,
        "defaults": preset.defaults,
        "latent_rgb": latent_to_rgb(vae, to_model_range(np.array(stills[:128]))),
        "training": notes,
    }
    save_checkpoint(destination, components, info)


def evaluate(
    folder: Path, checkpoint: Path, destination: Path, count: int, recordings: tuple[Path, ...]
) -> None:
    """Score the finished checkpoint on the test world; writes `world.md` and its pictures."""
    from .world.command import Settings, evaluate_world

    settings = Settings(
        destination,
        checkpoint=str(checkpoint),
        work=folder / "world",
        train=folder / "train",
        count=count,
        recordings=recordings,
    )
    evaluate_world(settings)
