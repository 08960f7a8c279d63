"""An existing video with another expression."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..eadnet.driving.following import followed_face
from ..eadnet.driving.portrait import MOST_FACES
from ..eadnet.driving.re_emote import ReEmote
from ..eadnet.faces.landmarker import FaceLandmarker
from ..eadnet.rig.track import Track
from . import host
from .checks import checked, problems
from .footage import opened
from .node import Node
from .notes import with_notes
from .types import Expression, schema


class EADNetReEmote(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetReEmote",
            display_name="EAD-Net Re-emote Video",
            description="Gives the person in a video another expression. Their own head and eye motion and "
            "their lips stay, or the lips follow the expression's speech. Frames without a face stay as they "
            "are.",
            search_aliases=["change emotion", "edit expression", "emotion transfer", "dubbing", "video face"],
            inputs=[
                io.MultiType.Input(
                    "images",
                    types=[io.Video, io.Image],
                    tooltip="The video: a VIDEO (Load Video), or an IMAGE with its frames.",
                ),
                Expression.Input(
                    "expression",
                    tooltip="What is added: from EAD-Net Expression from Speech with the video's own sound, "
                    "or edited. Where it ends before the video, its last frame is held.",
                ),
                io.Boolean.Input(
                    "replace_lips",
                    default=False,
                    tooltip="Off: the person's own lips stay. On: they follow the expression's mouth, for "
                    "new speech.",
                ),
                io.Int.Input(
                    "index",
                    default=0,
                    min=0,
                    max=MOST_FACES - 1,
                    tooltip="Which of several faces: 0 is the largest when a shot begins.",
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=1.0,
                    max=120.0,
                    step=0.01,
                    tooltip="Frames per second of an IMAGE. A VIDEO keeps its own frame rate.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="images", tooltip="The frames, for Create Video."),
                io.Float.Output(display_name="fps", tooltip="Frames per second, for Create Video."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, fps: float | None) -> bool | str:
        """Before the run: without the landmarker's file no face is found."""
        return problems([host.face_task_path]) or True

    @classmethod
    @checked
    def execute(
        cls, images: Any, expression: Track, replace_lips: bool, index: int, fps: float
    ) -> io.NodeOutput:
        landmarker = FaceLandmarker(
            host.face_task_path(), MOST_FACES if index else 1, blendshapes=True, device=host.compute_device()
        )
        with opened(images, "images", fps) as footage:
            progress = host.NodeProgress(2 * footage.count, cls.hidden.unique_id)
            height, width = footage.size
            with followed_face(
                footage.pictures,
                landmarker,
                index=index,
                folder=host.temporary_folder(),
                on_progress=lambda now: progress.update(now.done),
            ) as face:
                film = ReEmote(footage.pictures, face, expression, replace_lips=replace_lips)
                # Written in place: joining frames would hold everything twice.
                result = torch.empty(len(film), height, width, 3, device=host.result_device())
                for number, frame in enumerate(film.frames()):
                    result[number] = torch.from_numpy(frame).to(result.device).float() / 255
                    progress.update(footage.count + number + 1)
            notes = [*footage.pictures.notes, *film.notes()]
            return with_notes(cls, result, float(footage.pictures.fps), notes=notes)
