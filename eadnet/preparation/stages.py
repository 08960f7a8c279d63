"""The stages of a segment, plain functions: a clip and the tools to a clip that knows more, or a rejection.

`STAGES` is their order. Each is deterministic: the same clip, settings and files give the same bytes on the
same kind of processor, whoever runs it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..driving.video import track_of_faces
from ..faces.affine import invert
from ..faces.dense import face_from_mesh
from ..faces.landmarker import FaceLandmarker, LandmarkedFace
from ..faces.person_tracker import PersonTrack
from ..faces.tracking import FaceDetections, track_face
from ..media.silence import speech_gate
from ..media.speech import SpeechInMemory
from ..media.video import write_video
from ..metrics.face_crops import syncnet_track
from ..metrics.sync import SILENCE
from ..rig.canonical import LEAST_EYES, canonical_face
from ..rig.expression import PARAMETERS
from ..rig.topology import EYES
from .caption import caption
from .clip import FPS, SAMPLES, Clip, Rejection
from .tools import Tools

Stage = Callable[[Clip, Tools], Clip | Rejection]

CRF = 12  # of the crops' H.264: training sees the film, not the original
_LOOK = 25  # frames from one look for other faces to the next
_ALSO = 0.5  # a face of this share of the largest one's size counts as another person
_OFTEN = 0.2  # share of the looks that show one
_SEEN = 0.9  # share of the frames that must show the face
_GAP = 12  # frames that it may be lost for at a time
_NEAR = 1.5  # widths of a lost face within which it is found again
# A face that moves by so much of its size between two frames, with other colours under the same points, is
# that of another take. Within takes at most 0.066 (0.093 after the first frame) and 13 levels were seen.
_JUMP, _OTHER_SKIN = 0.08, 15.0
# A face whose points move by less of its size than this stands still: a photo with sound, or frames that were
# lost and are held. Real faces were never seen to, not for two frames: breath and noise move them.
_STILL = 4e-4
_SPOKEN = 0.1  # share of the frames that must be speech
_TURNED_SHARE = 0.9
_TOGETHER = 8


def heard(clip: Clip, tools: Tools) -> Clip | Rejection:
    """Somebody speaks in it."""
    start = clip.first * SAMPLES
    waveform = clip.speech.read(start, start + clip.frames * SAMPLES)
    if float(waveform.abs().max()) < SILENCE:
        return Rejection("sound", "its sound is silent")
    spoken = float((speech_gate(SpeechInMemory(waveform), FPS, clip.frames) > 0.5).float().mean())
    if spoken < _SPOKEN:
        return Rejection("sound", "nobody is heard to speak in it", {"spoken": spoken})
    return clip.knowing({"spoken": spoken})


def one_face(clip: Clip, tools: Tools) -> Clip | Rejection:
    """One face goes through all of it."""
    faces: list[LandmarkedFace | None] = []
    face: LandmarkedFace | None = None
    last: LandmarkedFace | None = None
    looks = crowded = still = stillest = 0
    before: np.ndarray | None = None
    for number in range(clip.frames):
        picture = clip.pictures.picture(number)
        found: list[LandmarkedFace] | None = None
        if number % _LOOK == 0:
            found = _sorted(tools.landmarker, picture)
            looks += 1
            crowded += sum(_side(other) >= _ALSO * _side(found[0]) for other in found) > 1
        if face is not None:
            face = tools.landmarker.again(picture, face)
        if face is None:
            found = _sorted(tools.landmarker, picture) if found is None else found
            face = _nearest(found, last) if last is not None else next(iter(found), None)
        if face is not None and _eyes(face) <= LEAST_EYES:
            face = None
        skin = None if face is None else _under(picture, face.mesh)
        if face is not None and faces and faces[-1] is not None and before is not None:
            moved = float(np.median(np.linalg.norm(face.mesh - faces[-1].mesh, axis=1)))
            still = still + 1 if moved < _STILL * _side(face) else 0
            stillest = max(stillest, still)
            if moved > _JUMP * _side(face) and float(np.abs(skin - before).mean()) > _OTHER_SKIN:
                reason = f"the face jumps after {number / FPS:.2f} s: a cut between pictures that are alike"
                return Rejection("face", reason)
        before, last = skin, face or last
        faces.append(face)
    seen = [number for number, face in enumerate(faces) if face is not None]
    if not seen:
        return Rejection("face", "no face is found in it")
    if crowded >= max(1, _OFTEN * looks):
        return Rejection("face", f"several faces of like size are in it ({crowded} of {looks} looks)")
    edges = [-1, *seen, clip.frames]
    gap = max(b - a - 1 for a, b in zip(edges[:-1], edges[1:], strict=True))
    if len(seen) < _SEEN * clip.frames or gap > _GAP:
        lost = clip.frames - len(seen)
        return Rejection("face", f"the face is not found in {lost} of {clip.frames} frames")
    if stillest > _GAP:
        return Rejection("face", f"its picture stands still for {stillest / FPS:.2f} s")
    return replace(clip, faces=tuple(faces))


def _sorted(landmarker: FaceLandmarker, picture: np.ndarray) -> list[LandmarkedFace]:
    return sorted(landmarker.detect(picture), key=lambda face: -_side(face))


def _side(face: LandmarkedFace) -> float:
    return float(np.sqrt(np.prod(np.ptp(face.mesh, axis=0))))


def _eyes(face: LandmarkedFace) -> float:
    right, left = (face.points[list(EYES[side].corners)].mean(axis=0) for side in ("r", "l"))
    return float(np.linalg.norm(left - right))


def _under(picture: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """The colours [478, 3] of a picture where the points of a mesh are."""
    columns, rows = mesh.round().astype(int).T
    height, width = picture.shape[:2]
    return picture[rows.clip(0, height - 1), columns.clip(0, width - 1)].astype(np.float32)


def _nearest(found: list[LandmarkedFace], last: LandmarkedFace) -> LandmarkedFace | None:
    middle = last.mesh.mean(axis=0)
    apart = [float(np.linalg.norm(face.mesh.mean(axis=0) - middle)) for face in found]
    if not apart or min(apart) > _NEAR * float(np.ptp(last.mesh[:, 0])):
        return None
    return found[int(np.argmin(apart))]


def large_enough(clip: Clip, tools: Tools) -> Clip | Rejection:
    """The face has enough pixels."""
    side = float(np.median([_side(face) for face in clip.faces if face is not None]))
    facts = {"face_px": side}
    if side < (least := tools.settings.smallest_face):
        return Rejection("size", f"the face is {side:.0f} pixels large, less than {least:g}", facts)
    return clip.knowing(facts)


def facing(clip: Clip, tools: Tools) -> Clip | Rejection:
    """The face is not turned away."""
    yaws = [abs(canonical_face(torch.from_numpy(face.points)).yaw) for face in clip.faces if face is not None]
    yaw = float(np.quantile(yaws, _TURNED_SHARE))
    facts = {"yaw_deg": yaw}
    if yaw > (most := tools.settings.most_turned):
        return Rejection(
            "turned", f"the face is turned by up to {yaw:.0f} degrees, more than {most:g}", facts
        )
    return clip.knowing(facts)


def aligned(clip: Clip, tools: Tools) -> Clip | Rejection:
    """LatentSync's crop, and the one that the SyncNet takes, out of every frame."""
    person = PersonTrack()
    for number, face in enumerate(clip.faces):
        if face is not None:
            person.add(number, face_from_mesh(face.mesh, face.score))
    width, height = clip.pictures.size
    detections = FaceDetections((height, width), clip.frames, (0,), [person])
    track = track_face(detections, "latentsync", tools.settings.resolution, patience=_GAP)
    beyond = _beyond(track.matrices, track.resolution, (width, height))
    facts = {"beyond_edge": beyond}
    if beyond > (most := tools.settings.most_beyond):
        reason = f"the picture's edge cuts {100 * beyond:.0f} % of the face's crop off, more than"
        return Rejection("edge", f"{reason} {100 * most:g} %", facts)
    views = [track]
    if (network := tools.sync_model.framing) is not None:
        views.append(syncnet_track(track, network))
    made = [np.empty((clip.frames, v.resolution, v.resolution, 3), np.uint8) for v in views]
    for start in range(0, clip.frames, _TOGETHER):
        numbers = list(range(start, min(clip.frames, start + _TOGETHER)))
        frames = np.stack([clip.pictures.picture(number) for number in numbers])
        for view, crops in zip(views, made, strict=True):
            levels = ((view.crop(frames, numbers) + 1) * 127.5).round().clamp(0, 255)
            crops[numbers] = levels.movedim(1, -1).to(torch.uint8).numpy()
    return clip.knowing(facts, track=track, crops=made[0], sync_crops=made[1] if len(made) > 1 else None)


def _beyond(matrices: Tensor, side: int, size: tuple[int, int]) -> float:
    """Share of the crops' places that lie beyond a picture of ``size`` (width, height), mean over frames."""
    steps = torch.linspace(0, side - 1, 17, dtype=torch.float64)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)], -1).reshape(-1, 3)
    at = places @ invert(matrices.double()).transpose(1, 2)
    limit = torch.tensor(size, dtype=torch.float64) - 0.5
    return float(((at < -0.5) | (at > limit)).any(-1).double().mean())


def sharp(clip: Clip, tools: Tools) -> Clip | Rejection:
    """The crops are not blurred: variance of the Laplacian (Pech-Pacheco et al. 2000) at 256 pixels."""
    assert clip.crops is not None
    few = torch.from_numpy(clip.crops[:: max(1, _LOOK // 5)]).float()
    grey = (few @ torch.tensor([0.299, 0.587, 0.114]))[:, None]
    grey = torch.nn.functional.avg_pool2d(grey, max(1, grey.shape[-1] // 256))
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    # The middle, where the face is: hair, background and what is beyond the edge do not count.
    inner = grey[..., grey.shape[-2] // 8 : -grey.shape[-2] // 8, grey.shape[-1] // 8 : -grey.shape[-1] // 8]
    found = float(torch.nn.functional.conv2d(inner, kernel).var(dim=(1, 2, 3)).median())
    facts = {"sharpness": found}
    if found < (least := tools.settings.least_sharp):
        return Rejection(
            "sharpness", f"the face is blurred (sharpness {found:.1f}, less than {least:g})", facts
        )
    return clip.knowing(facts)


def parameters(clip: Clip, tools: Tools) -> Clip | Rejection:
    """Facial parameters by the names of `rig.expression`, and the mesh in the crop's pixels."""
    assert clip.track is not None
    track = track_of_faces(clip.faces, FPS)
    seen = [number for number, face in enumerate(clip.faces) if face is not None]
    points = np.stack([face.points for face in clip.faces if face is not None]).reshape(len(seen), -1)
    every = np.arange(clip.frames)
    whole = np.stack([np.interp(every, seen, column) for column in points.T], axis=1).reshape(-1, 478, 3)
    matrices = clip.track.matrices.double().numpy()
    placed = whole[..., :2] @ matrices[:, :, :2].transpose(0, 2, 1) + matrices[:, None, :, 2]
    depth = whole[..., 2:] * np.sqrt(np.abs(np.linalg.det(matrices[:, :, :2])))[:, None, None]
    landmarks = torch.from_numpy(np.concatenate([placed, depth], -1)).half()
    tensors = clip.tensors | {"parameters": track.values, "landmarks": landmarks}
    return replace(clip, tensors=tensors, names=PARAMETERS)


def in_step(clip: Clip, tools: Tools) -> Clip | Rejection:
    """The sound belongs to the lips, and is moved to where they are."""
    settings, sync_model = tools.settings, tools.sync_model
    start, count = clip.first * SAMPLES, clip.frames * SAMPLES
    sound = clip.speech.read(start, start + count)
    found = sync_model(clip, sound)
    if found is None:
        return clip.knowing({"sync_judge": sync_model.name}, sound=sound.numpy())
    facts: dict[str, Any] = {"sync_judge": sync_model.name, "sync_offset_frames": found.offset}
    facts["sync_confidence"] = found.confidence
    least = sync_model.confident if settings.confidence is None else settings.confidence
    if not found.sure and not found.confidence >= least:
        facts |= {"sync_judge": f"{sync_model.name}, too short to tell", "sync_offset_frames": None}
        return clip.knowing(facts, sound=sound.numpy())
    if not found.confidence >= least:
        reason = (
            f"the sound does not belong to the lips (confidence {found.confidence:.2f}, less than {least:g})"
        )
        return Rejection("sync", reason, facts)
    if abs(found.offset) > settings.most_offset:
        late = "late" if found.offset < 0 else "early"
        reason = f"the sound is {abs(found.offset)} frames {late}, more than {settings.most_offset}"
        return Rejection("sync", reason, facts)
    # From the recording itself, so that no silence is put where it goes on.
    begin = start - found.offset * SAMPLES
    return clip.knowing(facts, sound=clip.speech.read(begin, begin + count).numpy())


def captioned(clip: Clip, tools: Tools) -> Clip | Rejection:
    """A sentence about the face, its emotion and strength."""
    return clip.knowing(caption(clip, tools))


def featured(clip: Clip, tools: Tools) -> Clip | Rejection:
    """What a preset's networks make of it, so that training need not."""
    if tools.features is None:
        return clip
    assert clip.crops is not None and clip.sound is not None
    more = tools.features(clip.crops, torch.from_numpy(clip.sound), clip.facts["caption"])
    return replace(clip, tensors=clip.tensors | more)


def film(clip: Clip) -> bytes:
    """The crops as an MP4 file, the same bytes on every machine: one thread, a key frame each second."""
    assert clip.crops is not None
    with tempfile.TemporaryDirectory(prefix="eadnet-") as folder:
        path = Path(folder) / "crop.mp4"
        write_video(path, clip.crops, FPS, quality=CRF, key_every=FPS, threads=1)
        return path.read_bytes()


STAGES: tuple[tuple[str, Stage], ...] = (
    ("heard", heard),
    ("one_face", one_face),
    ("large_enough", large_enough),
    ("facing", facing),
    ("aligned", aligned),
    ("sharp", sharp),
    ("parameters", parameters),
    ("in_step", in_step),
    ("captioned", captioned),
    ("featured", featured),
)
