"""Faces in videos: find and track one, crop it, and composite it back into the frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from comfy_api.latest import io
from torch import Tensor

from ..eadnet.errors import InputError
from ..eadnet.faces.choice import CHOICES, ORDERS, Choice
from ..eadnet.faces.comfy_landmarks import GivenLandmarks
from ..eadnet.faces.crops import to_pictures, without_alpha
from ..eadnet.faces.detectors import AUTO, DETECTORS, FORMER, make_detector
from ..eadnet.faces.detectors.manual import parse_face
from ..eadnet.faces.drawing import draw_track, strip_height
from ..eadnet.faces.face import FaceDetector
from ..eadnet.faces.frames import as_ranges, bounce
from ..eadnet.faces.framing import FRAMINGS
from ..eadnet.faces.masks import REGIONS
from ..eadnet.faces.tracking import FALLBACKS, detect_faces, track_face
from ..eadnet.media.images import unit_range
from . import host
from .checks import checked
from .footage import Footage, opened
from .node import Node
from .notes import picture, with_notes
from .sockets import image_of, mask_of
from .types import DiffusionModel, FaceLandmarks, FaceTrackSocket, Model, TrackAndRegion, schema

# Frames that are cropped or composited between two looks at Cancel; fewer of large ones.
_CHUNK = 16
_SHOWN = 512
_CHUNK_PIXELS = 8_000_000  # some tenths of a second on a processor: Cancel is answered after them
# What a video with one face does not need.
_ADVANCED = (
    *("order", "index", "point_x", "point_y", "missing_frame_fallback", "patience", "smoothing"),
    *("framing", "resolution"),
)


class EADNetFaceTrack(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetFaceTrack",
            display_name="EAD-Net Track Face",
            description="Finds and tracks one face through a video and crops it as the model was trained. "
            "Frames without a face are listed and stay unchanged.",
            search_aliases=["face detection", "face crop", "align face", "landmarks", "YuNet", "MediaPipe"],
            advanced=_ADVANCED,
            inputs=[
                _images("A VIDEO (Load Video), read frame by frame, or an IMAGE: frames or a portrait."),
                io.Combo.Input(
                    "detector",
                    options=[AUTO, *DETECTORS, *FORMER],
                    default=AUTO,
                    tooltip="".join(f"{kind.name}: {kind.summary}. " for kind in DETECTORS.values())
                    + "auto: what is entered or connected, else what is installed.",
                ),
                io.Combo.Input(
                    "face",
                    options=list(CHOICES),
                    default="largest",
                    tooltip="Which of several faces: the largest, the one at index in the given order, the "
                    "one at point_x and point_y, or the one under the mask.",
                ),
                io.Combo.Input(
                    "order",
                    options=list(ORDERS),
                    default="left-right",
                    tooltip="For face = index: the order in which faces are counted.",
                ),
                io.Int.Input(
                    "index",
                    default=0,
                    min=0,
                    max=99,
                    tooltip="For face = index: 0 is the first face in the order.",
                ),
                io.Int.Input(
                    "point_x",
                    default=0,
                    min=0,
                    max=100_000,
                    tooltip="For face = point: pixels from the left edge, in the frame where the face first "
                    "appears.",
                ),
                io.Int.Input(
                    "point_y",
                    default=0,
                    min=0,
                    max=100_000,
                    tooltip="For face = point: pixels from the top edge, in the same frame.",
                ),
                io.Combo.Input(
                    "missing_frame_fallback",
                    options=list(FALLBACKS),
                    default="interpolate",
                    tooltip="Short gaps in the track: previous keeps the last position, interpolate moves "
                    "to the next one, empty leaves those frames unchanged.",
                ),
                io.Int.Input(
                    "patience",
                    display_name="max_gap",
                    default=12,
                    min=0,
                    max=1000,
                    tooltip="Longest gap in frames that missing_frame_fallback fills. Frames of longer gaps "
                    "stay unchanged.",
                ),
                io.Float.Input(
                    "smoothing",
                    default=1.0,
                    min=0.0,
                    max=10.0,
                    step=0.1,
                    tooltip="How strongly jitter is removed, without lag. 0 uses the raw detections.",
                ),
                io.String.Input(
                    "manual",
                    default="",
                    placeholder="left, top, right, bottom",
                    tooltip="Enter the face in pixels, for all frames: 4 numbers for a box from brows to "
                    "chin, or 10 for x, y of right eye, left eye, nose tip, right and left mouth corner "
                    "(right is the person's).",
                ),
                io.Combo.Input(
                    "framing",
                    options=list(FRAMINGS),
                    default=FRAMINGS[0],
                    tooltip="Alignment of the face in its square crop, if no model is connected: latentsync "
                    "is tight, portrait shows the whole head (mini).",
                ),
                io.Int.Input(
                    "resolution",
                    default=256,
                    min=64,
                    max=1024,
                    step=8,
                    tooltip="Width and height of the crops in pixels, if no model is connected.",
                ),
                Model.Input(
                    "model",
                    optional=True,
                    tooltip="Sets framing, resolution and mask_region to the model's own.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="For face = mask: covers the face in the frame where it first appears.",
                ),
                FaceLandmarks.Input(
                    "face_landmarks",
                    optional=True,
                    tooltip="Landmarks of the same frames from ComfyUI's own face landmark node (newer "
                    "versions), used instead of the detector.",
                ),
            ],
            outputs=[
                FaceTrackSocket.Output(
                    display_name="track",
                    tooltip="Position of the face in every frame, for EAD-Net Put Face Back and EAD-Net "
                    "Render Video.",
                ),
                io.Image.Output(
                    display_name="crops", tooltip="The aligned face of every frame, for EAD-Net Prepare Face."
                ),
                io.Mask.Output(
                    display_name="valid", tooltip="White for frames with a face, black for those without."
                ),
                io.String.Output(
                    display_name="missing",
                    tooltip="The frames without a face, for example '3-7, 12'; empty if there are none.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, manual: str | None) -> bool | str:
        try:
            if isinstance(manual, str) and manual.strip():
                parse_face(manual)
        except InputError as error:
            return str(error)
        return True

    @classmethod
    @checked
    def execute(
        cls,
        images: Any,
        detector: str,
        face: str,
        order: str,
        index: int,
        point_x: int,
        point_y: int,
        missing_frame_fallback: str,
        patience: int,
        smoothing: float,
        manual: str,
        framing: str,
        resolution: int,
        model: DiffusionModel | None = None,
        mask: Tensor | None = None,
        face_landmarks: dict[str, Any] | None = None,
    ) -> io.NodeOutput:
        marked = None if mask is None else mask_of(mask)[0].cpu().numpy()
        choice = Choice(face, order, index, (point_x, point_y), marked)
        if model is not None:
            framing, resolution = model.info.framing, model.info.resolution
        with opened(images) as footage:
            if face == "mask" and marked is not None and marked.shape != footage.size:
                raise InputError(_unlike("mask", marked.shape, footage.size))
            finder = _finder(detector, manual, face_landmarks, footage)
            progress = host.NodeProgress(2 * footage.count, cls.hidden.unique_id)
            detections = detect_faces(_frames(footage, progress), finder)
            track = track_face(
                detections, framing, resolution, choice, missing_frame_fallback, patience, smoothing
            )
            # Written in place: joining parts would hold everything twice.
            crops = torch.empty(footage.count, resolution, resolution, 3, device=host.result_device())
            for at in torch.arange(footage.count).split(_together(footage)):
                crops[at] = to_pictures(track.crop(footage.some(at.tolist()), at)).to(crops.device)
                progress.update(footage.count + int(at[-1]) + 1)
            first = int(track.found.to(torch.uint8).argmax())  # the first frame where it was found
            seen = _small(draw_track(footage.one(first), track, first))
        missing = as_ranges(track.missing())
        valid = track.valid.float()[:, None, None].expand(-1, resolution, resolution)
        region = "face" if model is None else model.info.mask_region
        notes = []
        if missing:
            notes.append(
                f"There is no face in {int((~track.valid).sum())} of {len(track)} frames, which stay "
                f"unchanged: {missing}."
            )
        return with_notes(
            cls,
            TrackAndRegion(track, region),
            crops,
            valid,
            missing,
            notes=notes,
            shown=picture(seen, cls),
        )


class EADNetFaceComposite(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetFaceComposite",
            display_name="EAD-Net Put Face Back",
            description="Composites generated faces into the frames that they were cropped from. Pixels "
            "outside the mask, and frames without a face, stay unchanged.",
            search_aliases=["paste face", "face restore", "composite", "uncrop", "blend face"],
            inputs=[
                _images("The same frames or video as for EAD-Net Track Face."),
                io.Image.Input(
                    "faces",
                    tooltip="The generated faces, from VAE Decode. If there are more faces than frames, the "
                    "frames play back and forth, as in EAD-Net Prepare Face.",
                ),
                FaceTrackSocket.Input("track", tooltip="From EAD-Net Track Face."),
                io.Combo.Input(
                    "mask_region",
                    options=[AUTO, *REGIONS],
                    default=AUTO,
                    tooltip="The region to replace: face (with brows), lower_face or mouth. auto is the "
                    "region that the model generates.",
                ),
                io.Float.Input(
                    "feather",
                    default=0.05,
                    min=0.0,
                    max=0.25,
                    step=0.01,
                    tooltip="Width of the soft mask edge, inwards, as a fraction of the crop's width.",
                ),
                io.Float.Input(
                    "colour_match",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How far brightness, tint and contrast of the face are matched to its "
                    "surroundings.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="A mask in frame coordinates, used instead of mask_region: one for all frames, "
                    "or one per frame.",
                ),
            ],
            outputs=[io.Image.Output(display_name="images", tooltip="The full frames, for Create Video.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @checked
    def execute(
        cls,
        images: Any,
        faces: Tensor,
        track: TrackAndRegion,
        mask_region: str,
        feather: float,
        colour_match: float,
        mask: Tensor | None = None,
    ) -> io.NodeOutput:
        faces = image_of(faces, "faces")
        if faces.shape[1] != faces.shape[2]:
            raise InputError(
                f"The faces are {faces.shape[2]} x {faces.shape[1]} pixels, not square: connect the decoded "
                "crops of EAD-Net Track Face."
            )
        region: Any = track.mask_region if mask_region == AUTO else mask_region
        side = faces.shape[1]
        masks = None if mask is None else mask_of(mask)
        progress = host.NodeProgress(len(faces), cls.hidden.unique_id)
        done: Tensor | None = None
        with opened(images) as footage:
            if masks is not None and tuple(masks.shape[1:]) != footage.size:
                raise InputError(_unlike("mask", tuple(masks.shape[1:]), footage.size))
            order = bounce(footage.count, len(faces))
            for at in torch.arange(len(faces)).split(_together(footage)):
                source = order[at]
                if masks is not None:
                    own = masks if len(masks) == 1 else masks[source.clamp(max=len(masks) - 1)]
                    region = track.track.crop_mask(own, source, side)
                squares = without_alpha(faces[at].float()).permute(0, 3, 1, 2) * 2 - 1
                frames = footage.some(source.tolist())
                pasted = track.track.paste(
                    frames, squares, source, region, round(feather * side), colour_match
                )
                if done is None:  # written in place: joining parts would hold everything twice
                    kind = torch.float32 if pasted.dtype == torch.uint8 else pasted.dtype
                    done = torch.empty(len(faces), *pasted.shape[1:], dtype=kind, device=host.result_device())
                done[at] = unit_range(pasted, done)
                progress.update(int(at[-1]) + 1)
        return io.NodeOutput(done)


class EADNetFaceTrackPreview(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetFaceTrackPreview",
            display_name="EAD-Net Show Face Track",
            description="Draws the face track on the frames: box, landmarks and crop, with a plot of the "
            "detection confidence over time.",
            search_aliases=["debug face", "draw landmarks", "face boxes", "visualise track"],
            inputs=[
                _images("The same frames or video as for EAD-Net Track Face."),
                FaceTrackSocket.Input("track", tooltip="From EAD-Net Track Face."),
                io.Int.Input(
                    "every",
                    display_name="every_nth",
                    default=1,
                    min=1,
                    max=1000,
                    tooltip="Draw every nth frame only: 1 for a video, more for a few still images.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="images",
                    tooltip="Green: detected. Amber: estimated in a short gap. Red: no face. For Preview "
                    "Image or Create Video.",
                )
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @checked
    def execute(cls, images: Any, track: TrackAndRegion, every: int) -> io.NodeOutput:
        with opened(images) as footage:
            shown = range(0, min(footage.count, len(track.track)), every)
            progress = host.NodeProgress(len(shown), cls.hidden.unique_id)
            height, width = footage.size
            pictures = torch.empty(len(shown), height + strip_height(height), width, 3)
            for place, index in enumerate(shown):
                drawn = draw_track(footage.one(index), track.track, index)
                pictures[place] = torch.from_numpy(drawn.copy()) / 255
                progress.update(place + 1)
        return io.NodeOutput(pictures.to(host.result_device()))


def _small(picture: np.ndarray) -> Tensor:
    """A picture uint8 [H, W, 3] as an IMAGE that a node can show, of at most `_SHOWN` pixels."""
    pixels = torch.from_numpy(picture.copy()).movedim(-1, 0)[None].float() / 255
    factor = _SHOWN / max(pixels.shape[-2:])
    if factor < 1:
        pixels = F.interpolate(pixels, scale_factor=factor, mode="area")
    return pixels.movedim(1, -1)


def _together(footage: Footage) -> int:
    height, width = footage.size
    return max(1, min(_CHUNK, _CHUNK_PIXELS // (height * width)))


def _unlike(name: str, size: tuple[int, ...], frames: tuple[int, int]) -> str:
    """The sentence for a mask (height, width) that is not of the frames' size."""
    return (
        f"The {name} input is {size[1]} x {size[0]} pixels and the frames are {frames[1]} x {frames[0]}: "
        "connect a mask of their size."
    )


def _images(tooltip: str) -> io.Input:
    """The socket for frames: an IMAGE, or a VIDEO."""
    return io.MultiType.Input("images", types=[io.Image, io.Video], tooltip=tooltip)


def _finder(detector: str, manual: str, landmarks: dict[str, Any] | None, footage: Footage) -> FaceDetector:
    """The chosen detector; InputError or CheckpointError, with what to do, where it is not installed."""
    if landmarks is not None:
        return GivenLandmarks(landmarks, footage.size, footage.count)
    return make_detector(detector, host.face_folders(), manual)


def _frames(footage: Footage, progress: host.NodeProgress) -> Iterator[np.ndarray]:
    for number in range(footage.count):
        yield footage.one(number)
        progress.update(number + 1)
