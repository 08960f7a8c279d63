"""A rigged portrait: any face, photograph or painting, moved by tracks of facial parameters."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ..eadnet.driving.portrait import MOST_FACES, NoPortraitFace, find_portrait_face
from ..eadnet.errors import InputError
from ..eadnet.faces.by_hand import face_by_hand
from ..eadnet.faces.comfy_landmarks import GivenLandmarks
from ..eadnet.faces.detectors import DETECTORS
from ..eadnet.faces.landmarker import LandmarkedFace
from ..eadnet.rig.preview import preview
from ..eadnet.rig.rig import Rig
from ..eadnet.rig.track import Track
from . import host
from .checks import checked
from .live import LiveView
from .node import Node
from .notes import picture, with_notes
from .sockets import image_of
from .types import Expression, FaceLandmarks, FaceRig, schema


class EADNetFaceRig(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetFaceRig",
            display_name="EAD-Net Face Rig (Portrait)",
            description="Finds the face of a portrait (photograph, painting, render or drawing) and makes it "
            "movable: brows, lids, eyes, mouth and head, at the picture's own resolution.",
            search_aliases=[
                "portrait",
                "photo",
                "talking head",
                "face rig",
                "animate photo",
                "live portrait",
            ],
            inputs=[
                io.Image.Input("image", tooltip="The portrait. Of several images the first is used."),
                io.Int.Input(
                    "index",
                    default=0,
                    min=0,
                    max=MOST_FACES - 1,
                    tooltip="Which of several faces: 0 is the largest, 1 the second largest.",
                ),
                io.Float.Input(
                    "calm",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How far the portrait's own expression is taken back: raise it for a portrait "
                    "that smiles or whose mouth is open.",
                ),
                FaceLandmarks.Input(
                    "face_landmarks",
                    optional=True,
                    tooltip="Landmarks of the same image from a face landmarker node of ComfyUI's. "
                    "Unconnected: the installed face landmarker looks for the face.",
                ),
                io.String.Input(
                    "manual",
                    default="",
                    optional=True,
                    tooltip="The face by hand, in pixels, for a picture in which none is found: a box "
                    "(left, top, right, bottom), or x and y of right eye, left eye, nose tip and both "
                    "corners of the mouth (right is the person's). Empty: the face is looked for.",
                ),
            ],
            outputs=[
                FaceRig.Output(display_name="rig", tooltip="For EAD-Net Render Rig."),
                io.Image.Output(
                    display_name="preview", tooltip="The portrait with the face mesh that was found."
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @checked
    def execute(
        cls,
        image: Tensor,
        index: int,
        calm: float,
        face_landmarks: dict[str, Any] | None = None,
        manual: str | None = "",
    ) -> io.NodeOutput:
        images = image_of(image, "image")
        portrait = (images[0].float().clamp(0, 1) * 255).round().to(torch.uint8).cpu()
        colour = portrait[..., :3] if portrait.shape[-1] >= 3 else portrait[..., :1].expand(-1, -1, 3)
        try:
            face = _face(colour, len(images), index, face_landmarks, manual or "")
        except NoPortraitFace as missing:
            host.show_picture(missing.picture, cls.hidden.unique_id)
            raise
        points = torch.from_numpy(face.points)
        rig = Rig.build(portrait, points, shapes=face.blendshapes, calm=calm, device=host.compute_device())
        drawn = preview(colour, points)[None].float() / 255
        return with_notes(cls, rig, drawn, notes=rig.notes, shown=picture(drawn, cls))


def _face(
    picture: Tensor, count: int, index: int, landmarks: dict[str, Any] | None, manual: str
) -> LandmarkedFace:
    """From what is there: landmarks, a face by hand, or the installed landmarker."""
    if manual.strip():
        return face_by_hand(manual)
    folders = host.face_folders()
    given = None
    if landmarks is not None:
        size = (int(picture.shape[0]), int(picture.shape[1]))
        given = GivenLandmarks(landmarks, size, count).meshes[0]
    return find_portrait_face(
        picture.numpy(), DETECTORS["landmarks"].find(folders), folders, index, given=given
    )


class EADNetRenderRig(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetRenderRig",
            display_name="EAD-Net Render Rig (Talking Avatar)",
            description="Renders the portrait with an expression, at its own resolution: the frames of a "
            "talking video. What does not move stays as it is.",
            search_aliases=["avatar", "animate portrait", "talking photo", "talking head", "render face"],
            inputs=[
                FaceRig.Input("rig", tooltip="From EAD-Net Face Rig."),
                Expression.Input(
                    "expression", tooltip="From EAD-Net Expression from Speech, from Video, or edited."
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=1.0,
                    max=120.0,
                    step=0.01,
                    tooltip="Frames per second of the result. Use the same value in Create Video.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="images", tooltip="The frames, for Create Video."),
                io.Float.Output(display_name="fps", tooltip="Frames per second, for Create Video."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @checked
    def execute(cls, rig: Rig, expression: Track, fps: float) -> io.NodeOutput:
        track = expression.resampled(fps)
        if not len(track):
            raise InputError("The expression has no frames: connect one from EAD-Net Expression from Speech.")
        progress = host.NodeProgress(len(track), cls.hidden.unique_id)
        live = LiveView(cls.hidden.unique_id, len(track), fps)
        height, width = rig.size
        images: Tensor | None = None
        done = 0
        for piece in rig.render(track):
            if images is None:  # written in place: joining parts would hold everything twice
                even = (height + height % 2, width + width % 2)
                images = torch.empty(len(track), *even, piece.shape[-1], device=host.result_device())
            part = images[done : done + len(piece)]
            part[:, :height, :width] = piece.to(images.device).float() / 255
            part[:, height:] = part[:, height - 1 : height]
            part[:, :, width:] = part[:, :, width - 1 : width]
            done += len(piece)
            progress.update(done)
            live.progress(done, len(track))
            live.pictures(piece)
        return with_notes(cls, images, fps, notes=[*rig.notes, *_made_even(height, width)])


def _made_even(height: int, width: int) -> list[str]:
    """What to say of a picture with an odd side, which Save Video could not encode."""
    if height % 2 == width % 2 == 0:
        return []
    repeated = [name for name, side in (("row", height), ("column", width)) if side % 2]
    return [
        f"The picture is {width} x {height} pixels: its last {' and '.join(repeated)} "
        f"{'is' if len(repeated) == 1 else 'are'} repeated, because videos need even sides."
    ]
