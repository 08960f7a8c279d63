"""What nodes look like to the browser: their inputs, widgets and outputs.

Ours are read from `tests/api_surface.json`, which is frozen, and their titles from the sources, so that
nothing has to be imported; of ComfyUI's own nodes, those that the templates use are written down here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
# Texts of several lines; ComfyUI gives them room of their own.
TEXTS = {
    "EADNetEmotionEncode": ("text",),
    "EADNetEmotionTimeline": ("timeline",),
    "EADNetEditExpression": ("add",),
}


@dataclass(frozen=True)
class Input:
    """An input: a socket, or a widget, which a link may feed too. `follow` is what a widget's value is
    followed by in a saved graph: a seed by what happens to it, a file by the button that uploads one.
    """

    name: str
    type: str
    widget: bool = False
    optional: bool = False
    follow: tuple[Any, ...] = ()
    default: Any = None


@dataclass(frozen=True)
class Kind:
    """A class of nodes."""

    inputs: tuple[Input, ...]
    outputs: tuple[tuple[str, str], ...]
    title: str
    texts: int = 0

    @property
    def sockets(self) -> list[Input]:
        return [part for part in self.inputs if not part.widget]

    @property
    def widgets(self) -> list[Input]:
        return [part for part in self.inputs if part.widget]


def _pairs(text: str) -> list[tuple[str, str]]:
    """Written as `name:TYPE name:TYPE`."""
    return [(name, kind) for name, _, kind in (word.partition(":") for word in text.split())]


def _core(
    title: str,
    sockets: str = "",
    widgets: str = "",
    outputs: str = "",
    optional: str = "",
    follow: tuple[Any, ...] = (),
) -> Kind:
    """A node of ComfyUI's own; its first widget's value is followed by `follow`."""
    inputs = [Input(name, kind) for name, kind in _pairs(sockets)]
    inputs += [Input(name, kind, optional=True) for name, kind in _pairs(optional)]
    for number, (name, kind) in enumerate(_pairs(widgets)):
        inputs.append(Input(name, kind, widget=True, follow=() if number else follow))
    return Kind(tuple(inputs), tuple(_pairs(outputs)), title)


CORE = {
    "LoadImage": _core(
        "Load Image", widgets="image:COMBO", outputs="IMAGE:IMAGE MASK:MASK", follow=("image",)
    ),
    "LoadAudio": _core("Load Audio", widgets="audio:COMBO", outputs="AUDIO:AUDIO", follow=(None, None)),
    "LoadVideo": _core("Load Video", widgets="file:COMBO", outputs="VIDEO:VIDEO", follow=("image",)),
    "GetVideoComponents": _core(
        "Get Video Components", "video:VIDEO", outputs="images:IMAGE audio:AUDIO fps:FLOAT"
    ),
    "CreateVideo": _core("Create Video", "images:IMAGE", "fps:FLOAT", "VIDEO:VIDEO", "audio:AUDIO"),
    "SaveVideo": _core("Save Video", "video:VIDEO", "filename_prefix:STRING format:COMBO codec:COMBO"),
    "PreviewImage": _core("Preview Image", "images:IMAGE"),
    "PreviewAny": _core("Preview as Text", "source:*"),
    "DualCFGGuider": _core(
        "DualCFGGuider",
        "model:MODEL cond1:CONDITIONING cond2:CONDITIONING negative:CONDITIONING",
        "cfg_conds:FLOAT cfg_cond2_negative:FLOAT style:COMBO",
        "GUIDER:GUIDER",
    ),
    "SamplerCustomAdvanced": _core(
        "SamplerCustomAdvanced",
        "noise:NOISE guider:GUIDER sampler:SAMPLER sigmas:SIGMAS latent_image:LATENT",
        outputs="output:LATENT denoised_output:LATENT",
    ),
    "VAELoader": _core("Load VAE", widgets="vae_name:COMBO", outputs="VAE:VAE"),
    "VAEDecode": _core("VAE Decode", "samples:LATENT vae:VAE", outputs="IMAGE:IMAGE"),
    "VAEEncode": _core("VAE Encode", "pixels:IMAGE vae:VAE", outputs="LATENT:LATENT"),
    "ImageStitch": _core(
        "Image Stitch",
        "image1:IMAGE",
        "direction:COMBO match_image_size:BOOLEAN spacing_width:INT spacing_color:COMBO",
        "IMAGE:IMAGE",
        "image2:IMAGE",
    ),
    "ImageScale": _core(
        "Upscale Image", "image:IMAGE", "upscale_method:COMBO width:INT height:INT crop:COMBO", "IMAGE:IMAGE"
    ),
    "ImageCompositeMasked": _core(
        "Image Composite Masked",
        "destination:IMAGE source:IMAGE",
        "x:INT y:INT resize_source:BOOLEAN",
        "IMAGE:IMAGE",
        "mask:MASK",
    ),
}


@cache
def kinds() -> dict[str, Kind]:
    """Every class of node that a template may have."""
    surface = json.loads((ROOT / "tests" / "api_surface.json").read_text(encoding="utf-8"))
    titles = display_names()
    return CORE | {name: _ours(name, node, titles[name]) for name, node in surface.items()}


def display_names() -> dict[str, str]:
    """Titles of our nodes by their ids."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "nodes").glob("*.py")))
    return dict(re.findall(r'node_id="(\w+)",\s+display_name="([^"]+)"', text))


def _ours(name: str, node: dict[str, Any], title: str) -> Kind:
    inputs = []
    for group in ("required", "optional"):
        for spec in node[group]:
            widget = spec["type"] in WIDGETS and not spec.get("forceInput")
            follow = ("fixed",) if spec.get("control_after_generate") else ()
            optional = group == "optional" and not widget
            inputs.append(Input(spec["name"], spec["type"], widget, optional, follow, spec.get("default")))
    outputs = tuple((part["name"], part["type"]) for part in node["outputs"])
    return Kind(tuple(inputs), outputs, title, len(TEXTS.get(name, ())))
