"""MediaPipe's .task as weights of our networks: all of them, in their places, or one sentence."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eadnet.checkpoints import load_checkpoint, read_info
from eadnet.convert import convert
from eadnet.errors import CheckpointError
from eadnet.landmarker_task import GRAPHS, build_networks, is_landmarker_task, read_landmarker_task
from eadnet.published import detect
from eadnet.tflite import MalformedGraph, read_operators
from tests.landmarker_files import Graph, Table, flatbuffer, graph_of, random_networks, write_task
from tests.quick import examples


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_task(tmp_path_factory.mktemp("task") / "face_landmarker.task", random_networks())


def test_every_weight_comes_to_its_place(task: Path) -> None:
    states = read_landmarker_task(task)
    for name, network in random_networks().items():
        expected = network.state_dict()
        assert list(states[name]) == list(expected)
        for key, value in states[name].items():
            assert value.dtype == torch.float16 and torch.equal(value.float(), expected[key]), key


@pytest.mark.slow
def test_converted_it_is_a_checkpoint_of_the_same_networks(task: Path, tmp_path: Path) -> None:
    file = convert(task, tmp_path / "face_landmarker.safetensors")
    assert read_info(file)["preset"] == "face-landmarker"
    loaded = load_checkpoint(file).components
    picture = torch.rand(1, 3, 256, 256)
    expected = random_networks()["mesh"].eval()(picture)
    for found in (loaded["mesh"], build_networks(detect(task).tensors)["mesh"]):
        for mine, theirs in zip(found(picture), expected, strict=True):
            torch.testing.assert_close(mine, theirs)
    assert loaded.keys() == GRAPHS.keys()


@pytest.mark.parametrize("packed", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_an_archive_that_is_packed_otherwise_is_one_sentence(tmp_path: Path, packed: int) -> None:
    """Damaged, it would raise errors that no zip file of the published kind has."""
    path = tmp_path / "a.task"
    with zipfile.ZipFile(path, "w", packed) as archive:
        for file, _ in GRAPHS.values():
            archive.writestr(file, bytes(range(256)) * 10)
    data = bytearray(path.read_bytes())
    data[80:160] = bytes(80)
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="packed in another way"):
        read_landmarker_task(path)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("part", GRAPHS)
def test_weights_that_are_not_finite_are_named(tmp_path: Path, part: str, value: float) -> None:
    networks = random_networks()
    with torch.no_grad():
        list(networks[part].parameters())[2].view(-1)[-1] = value
    with pytest.raises(CheckpointError, match=f"{GRAPHS[part][0]} in a.task.*not finite"):
        read_landmarker_task(write_task(tmp_path / "a.task", networks))


def test_it_is_known_by_its_contents(task: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "weights.bin"
    renamed.write_bytes(task.read_bytes())
    assert is_landmarker_task(renamed) and detect(renamed).kind == "face_landmarker"
    assert not is_landmarker_task(tmp_path / "nowhere") and not is_landmarker_task(__file__)


def _archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.tflite", content)
    return path


@pytest.mark.slow
def test_another_file_of_that_name_gives_one_sentence(task: Path, tmp_path: Path) -> None:
    graphs = {name: graph_of(network) for name, network in random_networks().items()}
    files = {
        "empty": b"",
        "web page": b"<html>404</html>",
        "pointer": b"version https://git-lfs.github.com/spec/v1\n",
        "cut": task.read_bytes()[:-2000],
        "noise": np.random.default_rng(0).bytes(5000),
    }
    cases = {}
    for name, content in files.items():
        (tmp_path / f"{name}.task").write_bytes(content)
        cases[name] = tmp_path / f"{name}.task"
    hand = {"hand_detector": graphs["detector"]}
    cases["hands"] = _archive(tmp_path / "hands.task", **hand)
    swapped = dict(face_detector=graphs["mesh"], face_landmarks_detector=graphs["detector"])
    cases["swapped"] = _archive(tmp_path / "swapped.task", **swapped, face_blendshapes=graphs["blendshapes"])
    huge = b"\0" * ((64 << 20) + 1)
    rest = dict(face_landmarks_detector=graphs["mesh"], face_blendshapes=graphs["blendshapes"])
    cases["bomb"] = _archive(tmp_path / "bomb.task", face_detector=huge, **rest)
    words = {
        "empty": "is empty",
        "web page": "is a web page",
        "pointer": "Git LFS",
        "cut": "is truncated",
        "noise": "no face landmarker or is damaged",
        "hands": "no face_detector.tflite in it",
        "swapped": "has other layers than the published one",
        "bomb": "larger than 64 MB",
    }
    for name, path in cases.items():
        with pytest.raises(CheckpointError, match=words[name]) as caught:
            detect(path)
        assert "\n" not in str(caught.value) and path.name in str(caught.value)


def test_a_damaged_archive_gives_one_sentence(task: Path, tmp_path: Path) -> None:
    """Bytes of the archive changed at random: read as before, or refused; never anything else."""
    content = np.frombuffer(task.read_bytes(), np.uint8)
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(40):
        damaged = content.copy()
        at = random.integers(0, len(content), 20)
        at[:10] = len(content) - random.integers(1, 400, 10)  # the archive's list of contents
        damaged[at] = random.integers(0, 256, 20)
        (tmp_path / "damaged.task").write_bytes(damaged.tobytes())
        try:
            detect(tmp_path / "damaged.task")
        except CheckpointError as error:
            refused += "\n" not in str(error)
    assert refused > 30


SMALL = Graph()
SMALL.tensors.append(Table({0: [1], 1: 0}))
SMALL.run("conv", np.ones((2, 1, 1, 3)), np.zeros(2))
GRAPH = SMALL.file()


def test_a_graph_gives_its_operators_with_their_weights() -> None:
    (conv,) = read_operators(GRAPH)
    assert conv.name == "conv" and [w.shape for w in conv.weights] == [(2, 1, 1, 3), (2,)]
    assert conv.weights[0].dtype == np.float32 and (conv.weights[0] == 1).all()


@pytest.mark.slow
@examples(400)
@given(
    st.lists(st.tuples(st.integers(0, len(GRAPH) - 1), st.integers(0, 255)), max_size=6),
    st.integers(0, len(GRAPH)),
)
def test_no_bytes_do_more_than_be_refused(changes: list[tuple[int, int]], length: int) -> None:
    damaged = bytearray(GRAPH)
    for place, value in changes:
        damaged[place] = value
    for content in (bytes(damaged), bytes(damaged[:length])):
        try:
            read_operators(content)
        except MalformedGraph:
            pass


@pytest.mark.parametrize(
    ("root", "why"),
    [
        (Table(), "no operators"),
        (Table({1: [], 2: [Table({3: [Table({0: 7})]})], 4: []}), "number 7 of 0"),
        (
            Table({1: [Table({0: 3})], 2: [Table({0: [Table({0: [9], 2: 0})], 3: [Table({0: 0, 1: [0]})]})],
                   4: [Table({0: b"1234"})]}),
            "stored in 4 bytes",
        ),
        (
            Table({1: [Table({0: 3})], 2: [Table({0: [Table({0: [1], 2: 0})], 3: [Table({0: 0, 1: [0]})]})],
                   4: [Table({0: np.float32(np.inf).tobytes()})]}),
            "not finite",
        ),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused_with_the_reason(root: Table, why: str) -> None:
    with pytest.raises(MalformedGraph, match=why):
        read_operators(flatbuffer(root))


def test_other_constants_than_the_published_ones_are_refused(tmp_path: Path) -> None:
    graph = Graph()
    graph.tensors.append(Table({0: [1], 1: 0}))
    graph.run("mul", np.array(0.25))
    file = graph.file()
    others = dict(face_landmarks_detector=file, face_blendshapes=file)
    path = _archive(tmp_path / "other.task", face_detector=file, **others)
    with pytest.raises(CheckpointError, match=r"has the number 0\.25 where another was published"):
        detect(path)
