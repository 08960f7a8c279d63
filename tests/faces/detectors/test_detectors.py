"""The registry: which detectors there are, which one is made, and what is said when none can be."""

from __future__ import annotations

import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import eadnet.faces.detectors
from eadnet.errors import CheckpointError, InputError
from eadnet.faces.detectors import (
    AUTO,
    DETECTORS,
    detector_from_file,
    find_detector_file,
    make_detector,
)
from eadnet.faces.detectors.manual import ManualDetector
from tests.landmarker_files import random_networks, write_task

YUNET, TASK = "face_detection_yunet_2023mar.onnx", "face_landmarker_v2_with_blendshapes.task"
FRAME = np.zeros((60, 60, 3), np.uint8)


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A landmarker's file, alone in its folder; its weights are random."""
    (tmp_path / "task").mkdir()
    return write_task(tmp_path / "task" / TASK, random_networks())


def put(folder: Path, *names: str, content: bytes = b"a good file") -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(content)
    return [folder]


def test_every_file_in_the_folder_is_a_detector_and_their_order_is_that_of_the_node() -> None:
    assert list(DETECTORS) == ["yunet", "landmarks", "manual"]
    files = [m.name for m in pkgutil.iter_modules(eadnet.faces.detectors.__path__)]
    assert {name for name in files if not name.startswith("_")} == set(DETECTORS)


@pytest.mark.parametrize("kind", DETECTORS.values(), ids=list(DETECTORS))
def test_every_detector_says_what_it_is_and_what_its_file_is_called(kind: object) -> None:
    assert isinstance(kind, eadnet.faces.detectors.DetectorKind)
    assert kind.summary and AUTO not in (kind.name, *kind.files)
    assert not kind.files or "*" not in kind.files[0]
    others = [other for other in DETECTORS.values() if other is not kind]
    usual = [Path(other.files[0]) for other in others if other.files]
    assert not any(map(kind.owns, usual)), "files are told apart by name"


def test_a_face_by_hand_comes_before_every_file(tmp_path: Path) -> None:
    folders = put(tmp_path, YUNET, TASK)
    detector = make_detector(AUTO, folders, "10, 10, 40, 40")
    assert isinstance(detector, ManualDetector)
    assert detector.detect(FRAME)[0].box.tolist() == [10, 10, 40, 40]


def test_auto_takes_the_detector_whose_file_is_there(task: Path) -> None:
    assert find_detector_file([task.parent]) == task
    assert type(make_detector(AUTO, [task.parent])).__name__ == "Landmarks"


def test_saved_workflows_that_name_mediapipe_get_the_landmarks(task: Path) -> None:
    assert type(make_detector("mediapipe", [task.parent])).__name__ == "Landmarks"


def test_auto_passes_over_a_file_whose_package_is_missing(
    task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(task.parent, YUNET)
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert find_detector_file([task.parent]) == task
    assert type(make_detector(AUTO, [task.parent])).__name__ == "Landmarks"
    task.unlink()
    assert find_detector_file([task.parent]) == task.parent / YUNET
    with pytest.raises(InputError, match="pip install opencv-python-headless"):
        make_detector(AUTO, [task.parent])


def test_auto_takes_the_first_in_the_list_where_several_are_there(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    folders = put(tmp_path, TASK, YUNET)
    assert find_detector_file(folders) == tmp_path / YUNET
    with pytest.raises(CheckpointError, match="no YuNet that this OpenCV can read"):
        make_detector(AUTO, folders)


def test_without_any_file_auto_says_what_to_get_and_where_to_put_it(tmp_path: Path) -> None:
    assert find_detector_file([tmp_path]) is None
    message = "face_landmarker.task is missing: run 'eadnet fetch faces'.* put it into .*first"
    with pytest.raises(CheckpointError, match=message):
        make_detector(AUTO, [tmp_path / "first", tmp_path])


def test_earlier_folders_come_first_and_other_names_of_the_same_file_are_known(tmp_path: Path) -> None:
    folders = [*put(tmp_path / "a", TASK), *put(tmp_path / "b", "face_landmarker.task")]
    assert DETECTORS["landmarks"].find(folders) == tmp_path / "a" / TASK
    put(tmp_path / "a", "face_landmarker.task")
    assert DETECTORS["landmarks"].find(folders) == tmp_path / "a" / "face_landmarker.task"
    (converted,) = put(tmp_path / "c", "face_landmarker.safetensors")
    assert DETECTORS["landmarks"].find([converted]) == converted / "face_landmarker.safetensors"
    assert DETECTORS["yunet"].find([*folders, tmp_path / "nowhere"]) is None


def test_a_folder_of_that_name_is_no_file(tmp_path: Path) -> None:
    (tmp_path / YUNET).mkdir()
    assert find_detector_file([tmp_path]) is None


@pytest.mark.parametrize(
    ("name", "nearest"), [("yunett", "yunet"), ("Landmark", "landmarks"), ("manually", "manual"), ("", "")]
)
def test_an_unknown_detector_is_answered_with_the_nearest(tmp_path: Path, name: str, nearest: str) -> None:
    with pytest.raises(InputError, match=f"no face detector '{name}': did you mean {nearest}.*auto, yunet"):
        make_detector(name, [tmp_path])


def test_a_face_by_hand_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="write 4 numbers"):
        make_detector("manual", [tmp_path])


def test_a_detector_is_known_by_the_suffix_of_its_file(task: Path) -> None:
    renamed = task.rename(task.with_name("renamed.TASK"))
    assert type(detector_from_file(renamed)).__name__ == "Landmarks"


NEW_DETECTOR = """
from ._kind import DetectorKind

class Answer:
    def __init__(self, file):
        self.file = file

    def detect(self, frame):
        return []

KIND = DetectorKind("scrfd", 4, "another .onnx", Answer, ("scrfd_2.5g.onnx", "scrfd*.onnx"))
"""
ASK = """
import logging, sys
from pathlib import Path
logging.basicConfig(format="%(message)s")
from eadnet.cli.detector import face_detector
from eadnet.evaluation.networks import find_networks
from eadnet.faces.detectors import DETECTORS
made = face_detector(Path("w/scrfd_10g.onnx"), None)
print(list(DETECTORS), type(made).__name__, find_networks(Path("w")).faces)
"""


@pytest.mark.slow
def test_a_new_file_is_all_that_a_new_detector_needs_and_a_broken_one_takes_nothing_along(
    tmp_path: Path,
) -> None:
    copy = tmp_path / "eadnet"
    package = Path(eadnet.faces.detectors.__file__).parents[2]
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__", "training", "synthetic"))
    (copy / "faces" / "detectors" / "scrfd.py").write_text(NEW_DETECTOR, encoding="utf-8")
    (copy / "faces" / "detectors" / "broken.py").write_text("import nothing_of_this_name", encoding="utf-8")
    put(tmp_path / "w", "scrfd_10g.onnx")
    command = [sys.executable, "-c", ASK]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    found = Path("w", "scrfd_10g.onnx")
    assert done.stdout.strip() == f"['yunet', 'landmarks', 'manual', 'scrfd'] Answer {found}"
    assert "The face detector in broken.py cannot be loaded: it is left out." in done.stderr


@pytest.mark.parametrize(
    ("file", "nearest"),
    [
        ("yunet", YUNET),
        ("landmarks.bin", "face_landmarker.task"),
        ("face_landmarker.tsk", "face_landmarker.task"),
        ("face_detection_yunet", YUNET),
    ],
)
def test_a_file_of_no_detector_is_answered_with_the_nearest(file: str, nearest: str) -> None:
    with pytest.raises(InputError, match=f"{file} is no face detector's file: did you mean {nearest}"):
        detector_from_file(file)
