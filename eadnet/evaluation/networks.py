"""The networks that score videos, as far as their files are there, and why others are missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..checkpoints import bundled_mini, load_checkpoint, read_info
from ..errors import InputError
from ..faces.detectors import DETECTORS, detector_from_file, find_detector_file
from ..faces.face import FaceDetector
from ..faces.landmarker import FaceLandmarker
from ..metrics.sync import SyncNetwork
from ..modules.face_api import FaceApiNetwork, FaceExpressions, FaceLandmarks68
from .columns import SYNC_NETWORKS

LANDMARK_FILE, EXPRESSION_FILE = "face_landmark_68_model.bin", "face_expression_model.bin"
LPIPS_FILES = ("lpips-alex.safetensors", "lpips-vgg.safetensors")
INCEPTION_FILE, VIDEOMAE_FOLDER = "inception-fid.safetensors", "videomae"
FACES = "Looking for faces"
DENSE = "LMD, M-LMD (478)"
# Columns of the papers' tables whose networks this package does not load.
_PLUGGED = {
    "CSIM": "needs a face recogniser: plug one into eadnet.metrics.identity",
    "FVD (I3D)": "I3D is published as TorchScript, a program that would run when it is loaded: plug the "
    "network into eadnet.metrics.frechet",
}


@dataclass
class ScoringNetworks:
    """What was found.

    Attributes:
        sync: SyncNets.
        faces: a face detector's file; None takes the centred square of every frame.
        landmarks, expressions: face-api's.
        dense: the landmarker of 478 points.
        lpips: AlexNet or VGG16 with the weights of LPIPS.
        inception: for FID.
        videomae: for FVD.
        missing: what is not computed, and why.
        files: those that were loaded.
    """

    sync: list[SyncNetwork] = field(default_factory=list)
    faces: Path | None = None
    landmarks: FaceLandmarks68 | None = None
    expressions: FaceExpressions | None = None
    dense: FaceLandmarker | None = None
    lpips: Any = None
    inception: Any = None
    videomae: Any = None
    missing: dict[str, str] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)

    def detector(self) -> FaceDetector | None:
        """A new one for each video, as it may remember where faces were."""
        return None if self.faces is None else detector_from_file(self.faces)

    def marks(self) -> list[str]:
        """Changes whenever another network would score."""
        return [stamp(path) for path in self.files]


def stamp(path: Path) -> str:
    """Changes whenever the file does."""
    state = path.stat()
    return f"{path.resolve()} {state.st_size} {state.st_mtime_ns}"


def find_networks(models: Path | None, mini: Path | None = None, faces: bool = True) -> ScoringNetworks:
    """Load what is there.

    Args:
        models: a folder with any of `syncnet-v2.safetensors`, `stable-syncnet.safetensors`,
            `inception-fid.safetensors`, `lpips-alex.safetensors` or `lpips-vgg.safetensors` (all from
            `eadnet convert`), a face detector's file, face-api's
            landmark and expression models, and a folder `videomae`; each in it or in a folder of it.
        mini: a checkpoint with a SyncNet; the bundled one if None.
        faces: look for faces if a detector's file is there.

    Raises:
        InputError: there is no such folder.
        CheckpointError: a file that is there but damaged or of another kind.
    """
    networks = ScoringNetworks(missing=dict(_PLUGGED))
    _find_sync(networks, models, mini)
    _find_faces(networks, models, faces)
    if file := _find(networks, models, "LMD, M-LMD, jitter", LANDMARK_FILE):
        networks.landmarks = FaceLandmarks68(FaceApiNetwork.load(file))
    if file := _find(networks, models, "Acc_emo", EXPRESSION_FILE):
        networks.expressions = FaceExpressions(FaceApiNetwork.load(file))
    if file := _find(networks, models, "LPIPS", *LPIPS_FILES):
        networks.lpips = load_checkpoint(file, only={"lpips"}).component("lpips")
    if file := _find(networks, models, "FID", INCEPTION_FILE):
        networks.inception = load_checkpoint(file, only={"inception"}).component("inception")
    if file := _find(networks, models, "FVD (VideoMAE)", f"{VIDEOMAE_FOLDER}/model.safetensors"):
        from ..modules.video_features import VideoMAEFeatures

        networks.videomae = VideoMAEFeatures.load(file.parent)
    return networks


def _find_sync(networks: ScoringNetworks, models: Path | None, mini: Path | None) -> None:
    path = mini or bundled_mini()
    if "syncnet" in read_info(path)["components"]:
        networks.sync.append(load_checkpoint(path, only={"syncnet"}).component("syncnet"))
        networks.files.append(path)
    else:
        networks.missing["LSE-C, LSE-D, AV offset (mini)"] = f"no SyncNet in {path.name}"
    for name in SYNC_NETWORKS[1:]:
        names = (f"{name.replace('_', '-')}.safetensors", f"{name}.safetensors")
        if file := _find(networks, models, f"LSE-C, LSE-D, AV offset ({name})", *names):
            networks.sync.append(load_checkpoint(file, only={"syncnet"}).component("syncnet"))


def _find_faces(networks: ScoringNetworks, models: Path | None, wanted: bool) -> None:
    if not wanted:
        networks.missing[FACES] = "switched off; the centred square of every frame was scored"
        networks.missing[DENSE] = "faces are not looked for"
        return
    file = find_detector_file(_places(models))
    mesh = DETECTORS["landmarks"].find(_places(models))
    if mesh is None:
        networks.missing[DENSE] = f"file {DETECTORS['landmarks'].files[0]} missing"
    else:
        networks.dense = FaceLandmarker(mesh)
        networks.files += [mesh] if mesh != file else []
    if file is None:
        usual = DETECTORS["landmarks"].files[0]
        networks.missing[FACES] = f"file {usual} missing; the centred square of every frame was scored"
        return
    networks.files.append(file)
    try:
        detector_from_file(file)
        networks.faces = file
    except InputError as error:  # its package is not installed
        networks.missing[FACES] = f"{error} The centred square of every frame was scored."


def _places(models: Path | None) -> list[Path]:
    """The folder and those in it."""
    if models is not None and not models.is_dir():
        raise InputError(f"There is no folder {models}: check the path.")
    return [] if models is None else [models, *sorted(path for path in models.iterdir() if path.is_dir())]


def _find(networks: ScoringNetworks, models: Path | None, title: str, *names: str) -> Path | None:
    """The first file of these names in the folder or one level below; noted as missing if there is none."""
    for file in (place / name for name in names for place in _places(models)):
        if file.is_file():
            networks.files.append(file)
            return file
    networks.missing[title] = f"file {names[0]} missing"
    return None
