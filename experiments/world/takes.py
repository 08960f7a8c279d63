"""Generates the takes of a clip and keeps what was measured of each, so that a killed evaluation goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eadnet.faces.masks import feathered, mask_image
from eadnet.synthetic.clips import Clip, animate, make_clip
from eadnet.synthetic.renderer import Renderer
from eadnet.training.autoencoder import flicker, psnr, to_model_range
from eadnet.training.dataset import FPS, ClipSet
from eadnet.training.instrument import Instrument
from experiments.clip_renderer import Talking, acceleration
from experiments.world.likeness import Likeness
from experiments.world.plan import SHORT, Request, request

MOMENTS = 8  # of a take, kept to look at
Take = dict[str, np.ndarray]


class Deaf(nn.Module):
    """An audio encoder that hears nothing: the zeros that mean "no sound given" to the denoiser."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder

    def encode_speech(self, waveform: Tensor, fps: float, frames: int) -> Tensor:
        return torch.zeros_like(self.encoder.encode_speech(waveform, fps, frames))


@dataclass(frozen=True)
class Stage:
    """A model with the instruments and the held-out clips; `folder` keeps the takes."""

    talk: Talking
    instrument: Instrument
    likeness: Likeness
    clips: ClipSet
    split: str
    folder: Path

    def take(self, name: str, index: int) -> Take:
        """What take `name` of clip `index` gave, from the disk where it was made before."""
        path = self._path(name, index)
        if path.exists():
            with np.load(path) as kept:
                return dict(kept)
        made = self._make(name, index)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez_compressed(partial, **made)  # type: ignore[arg-type]
        os.replace(partial, path)
        return made

    def has(self, name: str, index: int) -> bool:
        return self._path(name, index).exists()

    def world_clip(self, index: int) -> Clip:
        """The clip's phonemes and parameters as the world makes them."""
        return make_clip(index, self.split, self.clips.params.shape[1])

    def request(self, index: int) -> Request:
        return request(index, self.clips.texts[index]["emotion"])

    def _path(self, name: str, index: int) -> Path:
        return self.folder / f"{index:04}" / f"{name}.npz"

    def _make(self, name: str, index: int) -> Take:
        makers: dict[str, Callable[[int], Take]] = {
            "truth": self._truth,
            "own": lambda i: self._spoken(i, self.clips.texts[i]["text"], self.clips.params.shape[1]),
            "plain": lambda i: self._spoken(i, "", self.clips.params.shape[1]),
            "revoiced": self._revoiced,
            "asked": lambda i: self._spoken(i, self.request(i).held_out.text, SHORT),
            "seen": lambda i: self._spoken(i, self.request(i).seen.text, SHORT),
            "deaf": self._deaf,
            "meant": self._meant,
        }
        with torch.no_grad():
            return makers[name](index)

    def _waveform(self, index: int) -> Tensor:
        return torch.from_numpy(self.clips.speech[index].astype(np.float32) / 32767)

    def _spoken(self, index: int, text: str, frames: int) -> Take:
        started, clock = time.process_time(), time.monotonic()
        portrait = self.clips.references[index, 0]
        pictures = self.talk(portrait, self._waveform(index), text, frames, seed=index)
        spent = {
            "processor_seconds": np.array((time.process_time() - started) / (frames / FPS)),
            "seconds": np.array((time.monotonic() - clock) / (frames / FPS)),
        }
        return self._readings(pictures) | spent

    def _deaf(self, index: int) -> Take:
        model = self.talk.model
        deaf = replace(
            self.talk, model=replace(model, audio_encoder=Deaf(model.audio_encoder)), audio_guidance=1.0
        )
        pictures = deaf(
            self.clips.references[index, 0],
            self._waveform(index),
            self.request(index).held_out.text,
            SHORT,
            seed=index,
        )
        return self._readings(pictures)

    def _meant(self, index: int) -> Take:
        """The face that the held-out sentence means, on the person who speaks, rendered."""
        clip = self.world_clip(index)
        rng = np.random.default_rng([index, 23])
        params = animate(self.request(index).held_out.parameters, clip.phonemes, SHORT, rng)
        renderer = Renderer(clip.identity, self.clips.frames.shape[2])
        return self._readings(self._coded(to_model_range(renderer.render_clip(params))))

    def _coded(self, pictures: Tensor) -> Tensor:
        """Through the autoencoder and back."""
        vae = self.talk.model.vae
        return torch.cat([vae.decode(vae.encode(part)).clamp(-1, 1) for part in pictures.split(16)])

    def _truth(self, index: int) -> Take:
        truth = to_model_range(self.clips.frames[index])
        portrait = to_model_range(self.clips.references[index, 0])[None]
        coded, region = self._coded(truth), self.region()
        still = self.instrument.values(portrait)[0].numpy()
        return self._readings(coded) | {
            "still": still,
            "psnr": np.array(psnr(coded, truth, region)),
            "psnr_copy": np.array(psnr(portrait.expand_as(truth), truth, region)),
            "acceleration": np.array(acceleration(coded, region) / acceleration(truth, region)),
            "flicker": np.array(flicker(coded, truth, region)),
            "flicker_truth": np.array(flicker(truth, truth, region)),
        }

    def _revoiced(self, index: int) -> Take:
        video = self.clips.frames[index]
        pictures = self.talk(
            self.clips.references[index, 0],
            self._waveform(index),
            self.clips.texts[index]["text"],
            len(video),
            seed=index,
            video=video,
        )
        truth, region = to_model_range(video), self.region()
        outside = feathered(region, truth.shape[-1] // 32)[0] == 0
        written = ((pictures + 1) * 127.5).round().clamp(0, 255).byte().movedim(1, -1)
        kept = (written == torch.from_numpy(np.array(video)))[:, outside].float().mean()
        return self._readings(pictures) | {
            "psnr": np.array(psnr(pictures, truth, region)),
            "acceleration": np.array(acceleration(pictures, region) / acceleration(truth, region)),
            "flicker": np.array(flicker(pictures, truth, region)),
            "kept_outside": np.array(kept),
        }

    def region(self) -> Tensor:
        info = self.talk.model.checkpoint
        return mask_image(info.mask_region, info.resolution)

    def _readings(self, pictures: Tensor) -> Take:
        landmarks, identity = self.likeness.read(pictures)
        moments = np.linspace(0, len(pictures) - 1, MOMENTS).round().astype(int)
        shown = ((pictures[moments].movedim(1, -1) + 1) * 127.5).round().clamp(0, 255).byte()
        return {
            "readings": self.instrument.values(pictures).numpy(),
            "landmarks": landmarks.numpy(),
            "identity": identity.numpy(),
            "pictures": shown.numpy(),
        }
