"""Context windows along the frames: the pack's own, and core's where they cannot cut a batch of frames.

Core's handler of 0.3.75 takes frames along dimension 0 (every latent of ours) for pictures of a batch: it
compares all their timesteps with the schedule at once, and leaves the conditions uncut. Newer ones do
neither.
"""

from __future__ import annotations

from typing import Any

import comfy.context_windows as core
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...eadnet.errors import InputError
from ...eadnet.sampling.windows import blend_weights, windows

_NAME = "eadnet"
# Cores that cut conditions along any dimension have a function of this name.
_CUTS = hasattr(core, "slice_cond")


class _Window(core.IndexListContextWindow):
    """Core's window of 0.3.75, with indices as torch takes them from 2.9 on."""

    def get_tensor(self, full: Tensor, device: Any = None, dim: int | None = None) -> Tensor:
        axis = self.dim if dim is None else dim
        return full if axis == 0 and len(full) == 1 else full[self._index(axis)].to(device)

    def add_window(self, full: Tensor, to_add: Tensor, dim: int | None = None) -> Tensor:
        full[self._index(self.dim if dim is None else dim)] += to_add
        return full

    def _index(self, dim: int) -> tuple[Any, ...]:
        return (*[slice(None)] * dim, self.index_list)


class FrameWindows(core.IndexListContextHandler):
    """Core's handler along dimension 0, in whatever version of core."""

    def set_step(self, timestep: Tensor, model_options: dict[str, Any]) -> None:
        sigmas = model_options["transformer_options"]["sample_sigmas"]
        near = (sigmas - timestep[0].to(sigmas)).abs()
        step = int(near.argmin())
        if near[step] <= 1e-4 * sigmas[step].abs():  # else between two steps, in a solver's second evaluation
            self._step = step

    def get_context_windows(self, model: Any, x_in: Tensor, model_options: dict[str, Any]) -> list[Any]:
        made = super().get_context_windows(model, x_in, model_options)
        return made if _CUTS else [_Window(window.index_list, dim=window.dim) for window in made]

    def get_resized_cond(
        self, cond_in: Any, x_in: Tensor, window: Any, device: Any = None, **settings: Any
    ) -> Any:
        resized = super().get_resized_cond(cond_in, x_in, window, device, **settings)
        if _CUTS or resized is None:
            return resized
        for one in resized:
            conditions = one.get("model_conds")
            if conditions is not None:
                one["model_conds"] = {name: _cut(c, len(x_in), window) for name, c in conditions.items()}
        return resized


def _cut(condition: Any, frames: int, window: Any) -> Any:
    value = getattr(condition, "cond", None)
    if not isinstance(value, Tensor) or not value.ndim or len(value) != frames or frames == 1:
        return condition
    return condition._copy_with(value[window.index_list])


def own_windows(length: int, overlap: int) -> FrameWindows:
    """The windows and the blending of EAD-Net Lip Sync Sampler."""

    def schedule(frames: int, handler: Any, model_options: Any) -> list[list[int]]:
        return [list(range(*part)) for part in windows(frames, length, overlap)]

    def weights(count: int, *, full_length: int, idxs: list[int], **settings: Any) -> list[float]:
        parts = windows(full_length, length, overlap)
        return list(blend_weights(parts)[parts.index((idxs[0], idxs[-1] + 1))])

    handler = FrameWindows(
        context_schedule=core.ContextSchedule(_NAME, schedule),
        fuse_method=core.ContextFuseMethod(_NAME, weights),
        context_length=length,
        context_overlap=overlap,
        dim=0,
    )
    handler.causal_window_fix = False  # of newer cores: a frame before the window, which ours do not have
    return handler


def with_windows(patcher: Any, length: int, overlap: int) -> Any:
    """A clone of a MODEL with our windows. Those of a context node that follows take their place."""
    clone = patcher.clone()
    clone.model_options["context_handler"] = own_windows(length, overlap)
    core.create_prepare_sampling_wrapper(clone)
    clone.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, _NAME, _with_frame_windows)
    return clone


def _with_frame_windows(executor: Any, noise: Tensor, *values: Any, **settings: Any) -> Any:
    """Sampling, with the windows that a node of core's has put on the MODEL made fit for frames, or refused.

    The guider's options are a copy that core makes for one run.
    """
    guider = executor.class_obj
    handler = guider.model_options.get("context_handler")
    unet = guider.model_patcher.model.diffusion_model
    longest = len(noise)
    if handler is not None and isinstance(handler, core.IndexListContextHandler):
        if handler.dim != 0:
            raise InputError(
                f"The context windows go along dimension {handler.dim}, and frames are along 0: set dim to 0 "
                "in Context Windows (Manual)."
            )
        longest = min(longest, handler.context_length)
        if not _CUTS and not isinstance(handler, FrameWindows):
            own = FrameWindows.__new__(FrameWindows)
            own.__dict__.update(vars(handler))
            guider.model_options["context_handler"] = own
    check = getattr(getattr(unet, "_orig_mod", unet), "check_window", None)
    if check is not None:
        check(longest)
    return executor(noise, *values, **settings)
