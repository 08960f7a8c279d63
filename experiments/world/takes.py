"""Generates the takes of a clip and keeps what was measured of each, so that a killed evaluation goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eadnet.dataset_format import FPS
from eadnet.faces.masks import feathered, mask_image
from eadnet.modules.parameter_regressors import ParameterRegressor
from eadnet.synthetic.clips import SyntheticClip, animate, make_clip
from eadnet.synthetic.renderer import Renderer
from eadnet.training.data.clips import ClipSet
from eadnet.training.data.images import to_model_range
from eadnet.training.tasks.autoencoder import flicker, psnr
from experiments.clip_renderer import ClipRenderer
from experiments.measures import acceleration
from experiments.world.identity import IdentityRegressor
from experiments.world.plan import SHORT, SwappedText, swapped_text

MOMENTS = 8  # of a take, kept to look at
Take = dict[str, np.ndarray]


@dataclass(frozen=True)
class TakeStore:
    """A model with the regressors that read its pictures and the held-out clips; `folder` keeps the takes."""

    renderer: ClipRenderer
    regressor: ParameterRegressor
    identity: IdentityRegressor
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

    def world_clip(self, index: int) -> SyntheticClip:
        """The clip's phonemes and parameters as the world makes them."""
        return make_clip(index, self.split, self.clips.frames.shape[1])

    def swapped_text(self, index: int) -> SwappedText:
        return swapped_text(index, self.clips.texts[index]["emotion"])

    def region(self) -> Tensor:
        """Where pixels are generated, [1, R, R]."""
        info = self.renderer.model.checkpoint
        return mask_image(info.mask_region, info.resolution)

    def _path(self, name: str, index: int) -> Path:
        return self.folder / f"{index:04}" / f"{name}.npz"

    def _make(self, name: str, index: int) -> Take:
        whole = self.clips.frames.shape[1]
        makers: dict[str, Callable[[int], Take]] = {
            "truth": self._truth,
            "text": lambda i: self._spoken(i, self.clips.texts[i]["text"], whole),
            "no_text": lambda i: self._spoken(i, "", whole),
            "video_input": self._video_input,
            "swapped_text": lambda i: self._spoken(i, self.swapped_text(i).held_out.text, SHORT),
            "swapped_text_seen": lambda i: self._spoken(i, self.swapped_text(i).seen.text, SHORT),
            "no_audio": self._no_audio,
            "target": self._target,
        }
        with torch.no_grad():
            return makers[name](index)

    def _render(self, renderer: ClipRenderer, index: int, text: str, frames: int) -> Tensor:
        """The calm portrait with the clip's sound."""
        return renderer(self.clips.references[index, 0], self.clips.waveform(index), text, frames, index)

    def _spoken(self, index: int, text: str, frames: int) -> Take:
        started, clock = time.process_time(), time.monotonic()
        pictures = self._render(self.renderer, index, text, frames)
        spent = {
            "processor_seconds": np.array((time.process_time() - started) / (frames / FPS)),
            "seconds": np.array((time.monotonic() - clock) / (frames / FPS)),
        }
        return self._readings(pictures) | spent

    def _no_audio(self, index: int) -> Take:
        text = self.swapped_text(index).held_out.text
        return self._readings(self._render(self.renderer.without_audio(), index, text, SHORT))

    def _target(self, index: int) -> Take:
        """The face that the held-out text describes, on the person who speaks, rendered."""
        clip = self.world_clip(index)
        rng = np.random.default_rng([index, 23])
        params = animate(self.swapped_text(index).held_out.parameters, clip.phonemes, SHORT, rng)
        renderer = Renderer(clip.identity, self.clips.frames.shape[2])
        return self._readings(self._coded(to_model_range(renderer.render_clip(params))))

    def _coded(self, pictures: Tensor) -> Tensor:
        """Through the VAE and back."""
        vae = self.renderer.model.vae
        return torch.cat([vae.decode(vae.encode(part)).clamp(-1, 1) for part in pictures.split(16)])

    def _truth(self, index: int) -> Take:
        truth = to_model_range(self.clips.frames[index])
        portrait = to_model_range(self.clips.references[index, 0])[None]
        coded, region = self._coded(truth), self.region()
        still = self.regressor.values(portrait)[0].numpy()
        return self._readings(coded) | {
            "still": still,
            "psnr": np.array(psnr(coded, truth, region)),
            "psnr_copy": np.array(psnr(portrait.expand_as(truth), truth, region)),
            "acceleration": np.array(acceleration(coded, region) / acceleration(truth, region)),
            "flicker": np.array(flicker(coded, truth, region)),
            "flicker_truth": np.array(flicker(truth, truth, region)),
        }

    def _video_input(self, index: int) -> Take:
        video = self.clips.frames[index]
        pictures = self.renderer(
            video,
            self.clips.waveform(index),
            self.clips.texts[index]["text"],
            len(video),
            seed=index,
            reference=self.clips.references[index, 0],
        )
        truth, region = to_model_range(video), self.region()
        outside = feathered(region, truth.shape[-1] // 32)[0] == 0
        kept = (_as_bytes(pictures) == torch.from_numpy(np.array(video)))[:, outside].float().mean()
        return self._readings(pictures) | {
            "psnr": np.array(psnr(pictures, truth, region)),
            "acceleration": np.array(acceleration(pictures, region) / acceleration(truth, region)),
            "flicker": np.array(flicker(pictures, truth, region)),
            "kept_outside": np.array(kept),
        }

    def _readings(self, pictures: Tensor) -> Take:
        landmarks, identity = self.identity.read(pictures)
        moments = np.linspace(0, len(pictures) - 1, MOMENTS).round().astype(int)
        return {
            "readings": self.regressor.values(pictures).numpy(),
            "landmarks": landmarks.numpy(),
            "identity": identity.numpy(),
            "pictures": _as_bytes(pictures[moments]).numpy(),
        }


def _as_bytes(pictures: Tensor) -> Tensor:
    """[T, 3, R, R] in [-1, 1] to uint8 [T, R, R, 3]."""
    return ((pictures.movedim(1, -1) + 1) * 127.5).round().clamp(0, 255).byte()
