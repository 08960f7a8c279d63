"""EAD-Net for ComfyUI: emotion-aware talking heads. What ComfyUI loads; everything else is below."""

from __future__ import annotations

from .nodes import EADNetExtension

WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> EADNetExtension:
    return EADNetExtension()
