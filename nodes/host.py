"""ComfyUI's side of everything: folders, memory, devices, progress, preview, Cancel.

The one file that imports ComfyUI's own modules, so a change over there is a change here and nowhere else.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import comfy.latent_formats
import comfy.model_management as memory
import comfy.model_patcher
import comfy.sd
import comfy.utils
import folder_paths
import latent_preview
import torch
from comfy_api.latest import io, ui
from torch import Tensor, nn

from ..eadnet.captions.local_vlm import LocalVLM
from ..eadnet.captions.mediapipe_faces import TASK_FILE
from ..eadnet.checkpoints import bundled_mini, read_info
from ..eadnet.errors import CheckpointError, InputError
from ..eadnet.memory import is_out_of_memory
from ..eadnet.modules.tfrm import PIECE

logger = logging.getLogger(__name__)

FOLDER = "eadnet"
BUNDLED = "mini.safetensors"
NONE = "none"

_DTYPES = [torch.float16, torch.bfloat16, torch.float32]
_ASSETS = Path(__file__).parent.parent / "eadnet" / "assets"

# --- model files --------------------------------------------------------------------------------------------


def register_model_folder() -> None:
    """Make `models/eadnet` (and whatever extra_model_paths.yaml adds) and the bundled checkpoint known."""
    folder_paths.add_model_folder_path(FOLDER, str(Path(folder_paths.models_dir) / FOLDER), is_default=True)
    folder_paths.add_model_folder_path(FOLDER, str(_ASSETS))
    paths, _ = folder_paths.folder_names_and_paths[FOLDER]
    folder_paths.folder_names_and_paths[FOLDER] = (paths, {".safetensors"})


def checkpoint_names() -> list[str]:
    """The bundled checkpoint, then the user's files."""
    names = folder_paths.get_filename_list(FOLDER)
    return [BUNDLED] + [name for name in names if name != BUNDLED]


def user_file_names(hint: str) -> list[str]:
    """The user's files, those with `hint` in their name first, so that the first choice is a likely one."""
    names = [name for name in checkpoint_names() if name != BUNDLED]
    return sorted(names, key=lambda name: (hint not in name.lower(), name))


def checkpoint_path(name: str) -> Path:
    """Where a file of the model folder is; CheckpointError when it is not there."""
    path = folder_paths.get_full_path(FOLDER, name)
    if path is None and name == BUNDLED:
        return bundled_mini()
    if path is None:
        folders = " or ".join(p for p in folder_paths.get_folder_paths(FOLDER) if p != str(_ASSETS))
        raise CheckpointError(
            f"There is no '{name}' in {folders}: put the file there, then refresh the node (R)."
        )
    return Path(path)


def face_file(name: str) -> Path:
    """Where a face detector's file is: in `faces/` of a model folder; else where to put it."""
    folders = [Path(p) / "faces" for p in folder_paths.get_folder_paths(FOLDER) if p != str(_ASSETS)]
    return next((folder / name for folder in folders if (folder / name).is_file()), folders[0] / name)


def file_problem(name: str) -> str | None:
    """Why the file cannot be an EAD-Net checkpoint, from its header alone; None when it can."""
    try:
        read_info(checkpoint_path(name))
    except CheckpointError as error:
        return str(error)
    return None


def fingerprint(name: str) -> str:
    """Changes when another file takes this one's place under the same name."""
    try:
        path = checkpoint_path(name)
    except CheckpointError:
        return "missing"
    stat = path.stat()
    return f"{path} {stat.st_size} {stat.st_mtime_ns}"


# --- captioners ---------------------------------------------------------------------------------------------

LLM_FOLDER = "LLM"
CAPTIONER_SUBFOLDER = "captioner"
FACES_SUBFOLDER = "faces"


def _captioner_folders() -> dict[str, Path]:
    """Folders with a vision-language model by name: those in models/LLM, those in models/eadnet/captioner."""
    places = [Path(path) / CAPTIONER_SUBFOLDER for path in folder_paths.get_folder_paths(FOLDER)]
    if LLM_FOLDER in folder_paths.folder_names_and_paths:  # other packs and extra_model_paths.yaml add to it
        places += [Path(path) for path in folder_paths.get_folder_paths(LLM_FOLDER)]
    places.append(Path(folder_paths.models_dir) / LLM_FOLDER)
    found: dict[str, Path] = {}
    for place in places:
        for config in sorted([*place.glob("*/config.json"), *place.glob("*/*/config.json")]):
            found.setdefault(config.parent.relative_to(place).as_posix(), config.parent)
    return found


def captioner_names() -> list[str]:
    """Local vision-language models to choose from, "none" first."""
    return [NONE, *sorted(_captioner_folders())]


def captioner_path(name: str) -> Path:
    """The folder of a model by its name in the list; InputError for any other name, so paths stay inside."""
    path = _captioner_folders().get(name)
    if path is None:
        place = Path(folder_paths.models_dir) / LLM_FOLDER
        what = "No local model is chosen" if name == NONE else f"There is no model '{name}'"
        raise InputError(f"{what}: put the folder of a vision-language model into {place} and refresh (R).")
    return path


def captioner_fingerprint(name: str) -> str:
    """Changes when another model takes this one's place."""
    folder = _captioner_folders().get(name)
    return "missing" if folder is None else f"{folder} {(folder / 'config.json').stat().st_mtime_ns}"


class _HeldCaptioner:
    """A local model that is loaded when it is first asked, in the care of ComfyUI's memory manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        self._held: Held | None = None

    def reply(self, *arguments: Any) -> str:
        if self._held is None:
            model = LocalVLM.from_folder(self.folder, self._dtype())
            self._held = Held(model, memory.text_encoder_offload_device())
        # A picture of 448 pixels is a few hundred tokens; a gigabyte is plenty for attention over some of
        # them.
        return self._held.use(lambda _: 1e9).reply(*arguments)

    @staticmethod
    def _dtype() -> torch.dtype:
        device = memory.get_torch_device()
        if memory.is_device_cpu(device):
            return torch.float32
        return torch.bfloat16 if memory.should_use_bf16(device) else torch.float16


def local_captioner(name: str) -> Any:
    """A `LocalVLM` by name; it is loaded at the first reply and let go with the node that asked."""
    return _HeldCaptioner(captioner_path(name))


def face_task_path() -> Path:
    """MediaPipe's face landmarker in models/eadnet/faces (or models/eadnet); InputError without one."""
    folders = [Path(path) for path in folder_paths.get_folder_paths(FOLDER)]
    for folder in folders:
        for place in (folder / FACES_SUBFOLDER, folder):
            for path in sorted(place.glob("face_landmarker*.task")):
                return path
    raise InputError(
        f"There is no {TASK_FILE} in {folders[0] / FACES_SUBFOLDER}: download MediaPipe's face "
        "landmarker there."
    )


def sleep(seconds: float) -> None:
    """Wait, but not when the user has pressed Cancel."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        memory.throw_exception_if_processing_interrupted()
        time.sleep(min(left, 0.1))


# --- networks and memory ------------------------------------------------------------------------------------


def unet_dtype(parameters: int) -> torch.dtype:
    """The type to compute a denoiser of this size in, here, minding ComfyUI's --fp16-unet and the like."""
    device = memory.get_torch_device()
    dtype = memory.unet_dtype(device=device, model_params=parameters, supported_dtypes=_DTYPES)
    if dtype not in _DTYPES:  # 8-bit weights need ComfyUI's own layers
        dtype = torch.float16
    # ComfyUI may store weights in a type the device cannot compute in; plain layers cannot cast on the fly.
    return memory.unet_manual_cast(dtype, device, _DTYPES) or dtype


# Bytes that a network needs beside its weights, given the network.
MemoryEstimate = Callable[[Any], float]


class Network(Protocol):
    """A network that can be asked for when it is needed."""

    def use(self, needs: MemoryEstimate | None = None) -> Any: ...

    def get_ram_usage(self) -> int: ...


class Held:
    """A network in the care of ComfyUI's memory manager, on the device while it is used and there is room."""

    def __init__(self, module: nn.Module, offload_device: torch.device | None = None) -> None:
        module = module.eval().requires_grad_(False)
        self.patcher = comfy.model_patcher.ModelPatcher(
            module,
            load_device=memory.get_torch_device(),
            offload_device=offload_device or memory.unet_offload_device(),
        )

    def use(self, needs: MemoryEstimate | None = None) -> Any:
        """The module on its device, with the bytes it `needs` kept free beside it."""
        module = self.patcher.model
        room = 0 if needs is None else needs(module)
        # In full: loading by parts needs layers of ComfyUI's that fetch their weights when they run.
        memory.load_models_gpu([self.patcher], memory_required=room, force_full_load=True)
        return module.to(self.patcher.load_device)

    def get_ram_usage(self) -> int:
        return self.patcher.model_size()


class OnDemand(nn.Module):
    """A network that is fetched whenever it is called, because others may have taken its place meanwhile.

    It has no parameters that could be asked for their device: that is `device`.
    """

    def __init__(self, network: Network, needs: MemoryEstimate | None = None) -> None:
        super().__init__()
        self._network, self._needs = network, needs
        self._module: Any = None
        self.fetch()

    def fetch(self) -> Any:
        object.__setattr__(self, "_module", self._network.use(self._needs))
        return self._module

    def forward(self, *values: Any, **settings: Any) -> Any:
        return self.fetch()(*values, **settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_module"], name)


def compute_device() -> torch.device:
    """Where networks run."""
    return memory.get_torch_device()


class Missing:
    """Stands in for a part that a checkpoint lacks. Harmless until it is used."""

    def __init__(self, message: str) -> None:
        self._message = message

    def use(self, needs: MemoryEstimate | None = None) -> Any:
        raise InputError(self._message)

    def get_ram_usage(self) -> int:
        return 0


def with_less(run: Callable[[int], Tensor], size: int, smallest: int, what: str) -> Tensor:
    """`run(size)`; when memory runs out, again with half the size, down to `smallest`, and say so."""
    while True:
        try:
            return run(size)
        except Exception as error:
            if size <= smallest or not is_out_of_memory(error):
                raise
        # Outside the handler, where the failed attempt's tensors are no longer referenced.
        size = max(smallest, size // 2)
        memory.soft_empty_cache()
        logger.warning("EAD-Net ran out of memory and tries again with %d %s.", size, what)


def unet_memory(unet: Any, frames: int, side: int) -> float:
    """Bytes a denoiser needs beside its weights for one window of ``frames`` of latents with this ``side``.

    Counted on the network itself: at its peak 24 values live per first-level channel and latent site, in
    every size from mini to 512 pixels. The rest of the 40 is room for convolution workspaces. Three
    evaluations of the network may run at once (see `eadnet.sampling.guidance`).
    """
    dtype = next(unet.parameters()).dtype
    return 3 * 40 * unet.config["block_out_channels"][0] * frames * side * side * dtype.itemsize


def tfrm_memory(tfrm: Any, shape: Sequence[int]) -> float:
    """Bytes TFRM needs beside its weights for latents [T, 4, h, w]: the latents, and features and a few
    graphs of the frames that are refined together.
    """
    frames, channels, height, width = shape
    together = frames if tfrm.halo is None else min(frames, PIECE + 2 * tfrm.halo)
    return 4 * (
        2 * channels * frames * height * width + 8 * 64 * together * height * width + 8 * together * together
    )


def is_clip(value: Any) -> bool:
    """Whether a text encoder is one of ComfyUI's."""
    return isinstance(value, comfy.sd.CLIP)


def clip_reader(clip: comfy.sd.CLIP) -> Callable[[Sequence[str]], Tensor]:
    """ComfyUI's CLIP with the interface of our text encoders: texts to tokens [B, L, D] of the last layer."""
    return lambda texts: torch.cat([clip.encode_from_tokens(clip.tokenize(text)) for text in texts])


@torch.no_grad()
def encode_texts(text_encoder: Any, texts: Sequence[str]) -> list[Tensor]:
    """Tokens [L, D] of each text, from one of our text encoders or ComfyUI's CLIP, ready to travel."""
    read = clip_reader(text_encoder) if is_clip(text_encoder) else text_encoder.use().encode
    known = {text: read([text])[0].float().to(result_device()) for text in {text.strip() for text in texts}}
    return [known[text.strip()] for text in texts]


def result_device() -> torch.device:
    """Where ComfyUI keeps what travels between nodes."""
    return memory.intermediate_device()


# --- progress, preview, Cancel ------------------------------------------------------------------------------


class Progress:
    """A node's progress bar. Every update raises when the user has pressed Cancel."""

    def __init__(self, total: int, node_id: str | None) -> None:
        self._bar = comfy.utils.ProgressBar(total, node_id=node_id)

    def update(self, done: int, preview: Any = None) -> None:
        memory.throw_exception_if_processing_interrupted()
        self._bar.update_absolute(done, preview=preview)


class _LatentFormat(comfy.latent_formats.LatentFormat):
    """Our latents' approximate colours in the form ComfyUI's previewer wants: -1..1, bias apart."""

    def __init__(self, latent_rgb: Sequence[Sequence[float]]) -> None:
        *factors, bias = [[2 * value for value in row] for row in latent_rgb]
        self.latent_rgb_factors = factors
        self.latent_rgb_factors_bias = [value - 1 for value in bias]


def latent_previewer(latent_rgb: Sequence[Sequence[float]] | None) -> Callable[[Tensor], Any]:
    """Turns latents [T, 4, h, w] into a preview of their middle frame, or None where previews are off.

    Without colours of our own, Stable Diffusion 1.5's apply.
    """
    own = comfy.latent_formats.SD15() if latent_rgb is None else _LatentFormat(latent_rgb)
    previewer = latent_preview.get_previewer(memory.get_torch_device(), own)
    if previewer is None:
        return lambda latents: None
    return lambda latents: previewer.decode_latent_to_preview_image(
        "JPEG", latents[len(latents) // 2][None].float()
    )


# --- autoencoder --------------------------------------------------------------------------------------------


class HeldVAE(comfy.sd.VAE):
    """An autoencoder of ours behind the VAE socket, for ComfyUI's own encode and decode nodes.

    Does not call the parent's constructor, which builds one of ComfyUI's networks from its weights;
    everything the core nodes call is overridden here.
    """

    def __init__(self, module: nn.Module) -> None:
        self.held = Held(module, memory.vae_offload_device())
        self.first_stage_model = module
        self.patcher = self.held.patcher
        self.device = self.patcher.load_device
        self.output_device = result_device()
        self.vae_dtype = torch.float32
        self.latent_channels, self.latent_dim, self.output_channels = 4, 2, 3
        self.downscale_ratio = self.upscale_ratio = 8
        self.size = None

    def encode(self, pixel_samples: Tensor) -> Tensor:
        """Pictures [B, H, W, C] in 0..1 to latents [B, 4, H/8, W/8], cut to multiples of 8 as core does."""
        height, width = (side // 8 * 8 for side in pixel_samples.shape[1:3])
        top, left = ((pixel_samples.shape[1] - height) // 2, (pixel_samples.shape[2] - width) // 2)
        pixels = pixel_samples[:, top : top + height, left : left + width, :3].movedim(-1, 1)
        return self._in_batches(pixels, lambda module, part: module.encode(part * 2 - 1), height * width)

    def decode(self, samples_in: Tensor, vae_options: Any = None) -> Tensor:
        """Latents [B, 4, h, w] (or [B, 4, 1, h, w]) to pictures [B, 8h, 8w, 3] in 0..1."""
        latents = samples_in[:, :, 0] if samples_in.ndim == 5 else samples_in
        area = latents.shape[-2] * latents.shape[-1] * 64
        pictures = self._in_batches(latents, lambda module, part: (module.decode(part) + 1) / 2, area)
        return pictures.clamp(0, 1).movedim(1, -1)

    def encode_tiled(self, pixel_samples: Tensor, **tiles: Any) -> Tensor:
        """The pictures are small, so tiles would gain nothing."""
        return self.encode(pixel_samples)

    def decode_tiled(self, samples: Tensor, **tiles: Any) -> Tensor:
        return self.decode(samples)

    def _in_batches(self, samples: Tensor, run: Callable[[Any, Tensor], Tensor], pixels: int) -> Tensor:
        # What ComfyUI reckons for Stable Diffusion's autoencoder, the largest there can be here.
        bytes_each = 2178 * pixels * 4
        module = self.held.use(lambda _: bytes_each)
        most = max(1, int(memory.get_free_memory(self.device) / bytes_each))

        def in_batches_of(size: int) -> Tensor:
            done = []
            for part in samples.split(size):
                memory.throw_exception_if_processing_interrupted()
                done.append(run(module, part.to(self.device, self.vae_dtype)).float().to(self.output_device))
            return torch.cat(done)

        with torch.no_grad():
            return with_less(in_batches_of, min(most, len(samples)), 1, "frames at a time")

    def throw_exception_if_invalid(self) -> None:
        pass

    def model_size(self) -> int:
        return self.held.get_ram_usage()

    def get_ram_usage(self) -> int:
        return self.held.get_ram_usage()

    def get_sd(self) -> dict[str, Tensor]:
        return self.first_stage_model.state_dict()

    def spacial_compression_encode(self) -> int:
        return self.downscale_ratio

    def spacial_compression_decode(self) -> int:
        return self.upscale_ratio

    def temporal_compression_decode(self) -> None:
        return None


def vae_network(vae: comfy.sd.VAE) -> Any:
    """The network inside; None where there is none."""
    return vae.first_stage_model


class MissingVAE(comfy.sd.VAE):
    """Stands in for the autoencoder of a checkpoint that has none."""

    def __init__(self, message: str) -> None:
        self.first_stage_model = None
        self._message = message

    def _fail(self, *args: Any, **kwargs: Any) -> Any:
        raise InputError(self._message)

    encode = decode = encode_tiled = decode_tiled = get_sd = throw_exception_if_invalid = _fail
    spacial_compression_encode = spacial_compression_decode = temporal_compression_decode = _fail

    def model_size(self) -> int:
        return 0

    def get_ram_usage(self) -> int:
        return 0


# --- films --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VideoPart:
    """The part of a file that a VIDEO stands for: ``seconds`` (0: all) from ``start`` on, in seconds of the
    file's own clock. ``identity`` changes with the file.
    """

    path: Path
    start: float
    seconds: float
    identity: Path | str


@contextmanager
def video_part(video: Any) -> Iterator[VideoPart]:
    """The file behind a VIDEO, for reading it frame by frame; one in memory, or one with edits that its file
    does not show (a crop), is written to ComfyUI's temporary folder meanwhile.
    """
    with tempfile.TemporaryDirectory(dir=temporary_folder()) as folder:
        copy = Path(folder) / "source.mp4"
        start = seconds = 0.0
        if _is_edited(video):
            video.save_to(str(copy))
        else:
            file = video.get_stream_source()
            if not isinstance(file, str):
                copy.write_bytes(file.getbuffer())
            if hasattr(video, "get_active_trim_window"):
                start, seconds = video.get_active_trim_window()
            if isinstance(file, str):
                yield VideoPart(Path(file), start, seconds, Path(file))
                return
        yield VideoPart(copy, start, seconds, _content(copy))


def _content(path: Path) -> str:
    """A digest of what is in a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _is_edited(video: Any) -> bool:
    """Whether a VIDEO is more than a part of its file. Old versions of ComfyUI know neither parts nor edits;
    some know parts (`as_trimmed`) and do not say which.
    """
    if hasattr(video, "has_pending_frame_edits"):
        return bool(video.has_pending_frame_edits())
    return hasattr(video, "as_trimmed") and not hasattr(video, "get_active_trim_window")


def temporary_folder() -> Path:
    """ComfyUI's folder for what nobody keeps."""
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def film_path(prefix: str, key: str, width: int, height: int) -> Path:
    """Where an unfinished film with this key lies in the output folder: the same place for the same film."""
    folder, name, *_ = folder_paths.get_save_image_path(
        prefix, folder_paths.get_output_directory(), width, height
    )
    return Path(folder) / f"{name}_{key}.mp4"


def place_film(film: Path, prefix: str, width: int, height: int) -> tuple[Path, ui.SavedResult]:
    """Give a finished film the next free number, as Save Video does; and how the page finds it."""
    folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
        prefix, folder_paths.get_output_directory(), width, height
    )
    target = Path(folder) / f"{name}_{counter:05}_.mp4"
    film.replace(target)
    return target, ui.SavedResult(target.name, subfolder, io.FolderType.output)
