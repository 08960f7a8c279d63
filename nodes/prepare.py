"""Images to masked and reference latents."""

from __future__ import annotations

from fractions import Fraction

import torch
from comfy_api.latest import io
from torch import Tensor

from ..eadnet.faces.crops import prepare_portrait, to_pictures
from ..eadnet.faces.frames import bounce
from ..eadnet.faces.masks import REGIONS, feathered, latent_mask, mask_image, masked_picture
from ..eadnet.rendering import check_face_in_place, photograph_note
from . import host
from .checks import checked
from .face_check import InstalledDetector, check_face_widget, crop_shown_on_refusal
from .footage import FramesInMemory
from .latents import finite_vae
from .node import Node
from .notes import picture, with_notes
from .sockets import image_of
from .types import MASK, MASKED_SAMPLES, DiffusionModel, Model, schema

AUTO = "auto"

# Frames that are cropped and encoded together; bounds the memory of a long video of large frames.
_CHUNK = 32


class EADNetPrepare(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetPrepare",
            display_name="EAD-Net Prepare Face",
            description="Crops a portrait or the frames of a video to the model's square, masks the region "
            "to generate, and encodes both with the VAE.",
            search_aliases=["portrait", "reference image", "face mask", "image to latent"],
            inputs=[
                Model.Input("model", tooltip="Sets the resolution and, on auto, the mask region."),
                io.Vae.Input(
                    "vae", tooltip="The checkpoint's VAE. For LatentSync: Load VAE with SD 1.5's VAE."
                ),
                io.Image.Input(
                    "images",
                    tooltip="A portrait, or the frames of a video. The largest centred square is used: the "
                    "face should be in the middle and fill most of it.",
                ),
                io.Int.Input(
                    "frame_count",
                    default=1,
                    min=1,
                    max=1_000_000,
                    force_input=True,
                    tooltip="Length in frames, from EAD-Net Encode Audio. A portrait is repeated, a shorter "
                    "video plays back and forth, a longer one is cut.",
                ),
                io.Combo.Input(
                    "mask_region",
                    options=[AUTO, *REGIONS],
                    default=AUTO,
                    tooltip="The region to generate: face (with brows), lower_face or mouth. auto is the "
                    "region that the model was trained on, which works best.",
                ),
                check_face_widget(),
            ],
            outputs=[
                io.Latent.Output(
                    display_name="latents",
                    tooltip="The encoded frames with their mask and masked frames, for EAD-Net Lip Sync "
                    "Sampler.",
                ),
                io.Image.Output(
                    display_name="crops",
                    tooltip="The square crop of every frame: the destination of Image Composite Masked.",
                ),
                io.Mask.Output(
                    display_name="region",
                    tooltip="The generated region, feathered inwards: the mask of Image Composite Masked.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @checked
    def execute(
        cls,
        model: DiffusionModel,
        vae: io.Vae.Type,
        images: Tensor,
        frame_count: int,
        mask_region: str,
        check_face: bool = True,
    ) -> io.NodeOutput:
        images = image_of(images)
        order = bounce(len(images), frame_count)
        needed = images[: int(order.max()) + 1]
        resolution = model.drawing().resolution
        if check_face:
            with crop_shown_on_refusal(cls):
                check_face_in_place(
                    FramesInMemory(needed, Fraction(1)).picture,
                    range(len(needed)),
                    model.info.framing,
                    resolution,
                    InstalledDetector(),
                )
        notes: list[str] = []
        coder = finite_vae(vae, 1.0, notes.append)
        region = mask_image(model.info.mask_region if mask_region == AUTO else mask_region, resolution)
        progress = host.NodeProgress(len(needed), cls.hidden.unique_id)
        crops: list[Tensor] = []
        whole: list[Tensor] = []
        masked: list[Tensor] = []
        for chunk in needed.split(_CHUNK):
            squares = prepare_portrait(chunk, resolution)
            crops.append(to_pictures(squares).to(host.result_device()))
            whole.append(coder.encode(squares))
            masked.append(coder.encode(masked_picture(squares, region)))
            progress.update(sum(map(len, whole)))
        first = crops[0][:1].movedim(-1, 1) * 2 - 1
        notes.append(photograph_note(model.info.preset, first, lambda _: coder.decode(whole[0][:1])))
        latents = {
            "samples": torch.cat(whole)[order],
            MASK: latent_mask(region).expand(frame_count, -1, -1, -1),
            MASKED_SAMPLES: torch.cat(masked)[order],
        }
        return with_notes(
            cls,
            latents,
            torch.cat(crops)[order],
            feathered(region, resolution // 32),
            notes=notes,
            shown=picture(crops[0][:1], cls),  # what will be animated
        )
