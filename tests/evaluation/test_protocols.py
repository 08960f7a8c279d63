"""`eadnet evaluate --protocol`: the papers' clips by their names, and a table beside the real ones."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from eadnet.checkpoints import save_checkpoint
from eadnet.cli import main
from eadnet.errors import InputError
from eadnet.evaluation.leakage import leakage, movement
from eadnet.evaluation.networks import ScoringNetworks, find_networks
from eadnet.evaluation.paper_table import exaggerated
from eadnet.evaluation.protocols import LISTS, MEAD_ACTORS, PROTOCOLS, find_protocol, listed_names, mead_clip
from eadnet.evaluation.results import Evaluation
from eadnet.metrics.intervals import Interval
from eadnet.modules.mini_syncnet import MiniSyncNet
from eadnet.preparation.layouts import HDTF_TEST, MEAD_TEST
from tests.evaluation.test_folder import write_clip
from tests.modules.test_face_api import write_published


@pytest.mark.parametrize(
    ("name", "taken", "label"),
    [
        ("M003#angry#level_1#001", True, "angry"),
        ("M030-video-front-fear-level_3-012-0a7bfb8d7f", True, "fearful"),
        ("W009_contempt_level_2_004", True, ""),
        ("M005#angry#level_1#001", False, "angry"),
        ("M003-angry-001", True, "angry"),
        ("M003_happy", True, "happy"),
        ("M003_001", True, ""),
    ],
)
def test_meads_clips_are_known_by_actor_and_emotion(name: str, taken: bool, label: str) -> None:
    protocol = PROTOCOLS["mead"]
    assert (protocol.takes(name), protocol.label(name)) == (taken, label)


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("RD_Radio7_000", True),
        ("RD_Radio70_000", False),
        ("WDA_XavierBecerra_001", True),
        ("WDA_XavierBecerra_003", False),
        ("WRA_TimScott-0a7bfb8d7f", True),
        ("WRA_TimScott2_000", False),
    ],
)
def test_hdtfs_clips_are_those_of_the_list(name: str, taken: bool) -> None:
    assert PROTOCOLS["hdtf"].takes(name) == taken


def test_the_test_clips_are_those_that_a_prepared_set_keeps_for_the_test() -> None:
    assert all(PROTOCOLS["mead"].takes(f"{actor}#happy#level_1#001") for actor in MEAD_TEST)
    for name in ("musetalk-20", "edtalk-77"):
        people = {video.rpartition("_0")[0] or video for video in listed_names(name)}
        assert people <= HDTF_TEST, "nobody of a test list is trained on"


def test_the_published_lists_are_whole() -> None:
    assert [len(set(listed_names(name))) for name in LISTS[:3]] == [20, 77, 100]
    sample = [mead_clip(name) for name in listed_names("eat-100")]
    assert {clip.actor for clip in sample if clip} == set(MEAD_ACTORS) and None not in sample
    rule = find_protocol("mead", "eat-985")
    assert all(rule.takes(name) for name in listed_names("eat-100")), "what EAT's sample was taken from"


@pytest.mark.parametrize(
    ("name", "key", "front"),
    [
        ("M003#angry#level_1#001", "M003#angry#level_1#001", True),
        ("W015_W015_sad_3_005", "W015#sad#level_3#005", True),
        ("M030_fea_3_008", "M030#fear#level_3#008", True),
        ("M030-video-front-fear-level_3-012-0a7bfb8d7f", "M030#fear#level_3#012", True),
        ("M030-video-left_30-happy-level_3-012-0a7bfb8d7f", "M030#happy#level_3#012", False),
        ("W009_contempt_level_2_004", "W009#contempt#level_2#004", True),
    ],
)
def test_a_clip_of_mead_is_known_however_it_is_written(name: str, key: str, front: bool) -> None:
    clip = mead_clip(name)
    assert clip is not None and (clip.key, clip.front) == (key, front)


def test_a_published_list_takes_its_own_clips_alone() -> None:
    hundred, rule = find_protocol("mead", "eat-100"), find_protocol("mead", "eat-985")
    assert hundred.takes("W015_W015_sad_3_005") and hundred.label("W015_W015_sad_3_005") == "sad"
    assert not hundred.takes("W015#sad#level_3#001") and rule.takes("W015#sad#level_3#001")
    assert rule.takes("M003#neutral#level_1#001") and not rule.takes("M003#sad#level_1#001")
    assert not rule.takes("M005#sad#level_3#001") and not rule.takes("M003-video-left_30-sad-level_3-001")
    videos = find_protocol("hdtf", "edtalk-77")
    assert videos.takes("RD_Radio11_001#3") and videos.takes("RD_Radio11_001")
    assert not videos.takes("RD_Radio11_002") and not videos.takes("WRA_TimScott_000")
    with pytest.raises(InputError, match="eat-100 is not of hdtf: use musetalk-20 or edtalk-77"):
        find_protocol("hdtf", "eat-100")
    with pytest.raises(InputError, match="eat-1000 cannot be read .*one of eat-100, eat-985"):
        find_protocol("mead", "eat-1000")


def test_a_list_of_names_takes_the_place_of_the_protocols_own(tmp_path: Path) -> None:
    (tmp_path / "hundred.txt").write_text("a/M003#angry#level_1#001.mp4\n\nM030#sad#level_2#002\n")
    protocol = find_protocol("mead", tmp_path / "hundred.txt")
    assert protocol.takes("M003#angry#level_1#001") and not protocol.takes("M003#angry#level_1#002")
    assert protocol.clips == "MEAD, 2 clips of hundred.txt"
    assert protocol.label("M030#sad#level_2#002") == "sad"
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(InputError, match="names no clip"):
        find_protocol("mead", tmp_path / "empty.txt")


def of(confidence: float, distance: float) -> Evaluation:
    def exactly(value: float) -> Interval:
        return Interval(value, value, value, 3)

    return Evaluation([], {"mini_confidence": exactly(confidence), "mini_distance": exactly(distance)}, {})


def test_scores_above_the_real_clips_are_called_exaggerated() -> None:
    assert exaggerated(of(5, 8), of(6, 7)) == []
    (said,) = exaggerated(of(7, 8), of(6, 7))
    assert said.startswith("**Exaggerated:** LSE-C (mini) is 7.000, better than the real clips' 6.000")
    assert "LSE-D" in exaggerated(of(5, 6), of(6, 7))[0]


def face(opening: torch.Tensor) -> torch.Tensor:
    points = torch.zeros(len(opening), 68, 2)
    points[:, 45, 0] = 100.0
    points[:, [67, 66, 65], 1] = opening[:, None]
    return points


def test_movement_is_that_of_the_lips_whatever_the_size() -> None:
    opening = torch.tensor([0.0, 20.0, 0.0, 20.0])
    assert movement(face(opening)) == pytest.approx(movement(3 * face(opening)))
    assert movement(face(opening)) > 0.1 and movement(face(torch.full((4,), 7.0))) == 0
    gone = face(opening)
    gone[1] = math.nan
    assert math.isfinite(movement(gone))


def test_leakage_needs_landmarks() -> None:
    with pytest.raises(InputError, match="landmark network"):
        leakage([], [], ScoringNetworks())


def test_a_protocol_needs_real_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(tmp_path), "--out", str(tmp_path / "o"), "--protocol", "mead"]) == 2
    assert "give their folder with --reference" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path), "--out", str(tmp_path / "o"), "--silent", str(tmp_path)]) == 2
    assert "belong to a --protocol" in capsys.readouterr().err


@pytest.mark.slow
def test_the_table_has_the_real_clips_row_the_count_and_the_networks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, name in enumerate(("M003#happy#level_1#001", "W015#sad#level_2#001", "M005#sad#level_2#001")):
        write_clip(tmp_path / "made" / f"{name}.mp4", number)
        write_clip(tmp_path / "real" / f"{name}.mp4", number + 5)
        write_clip(tmp_path / "still" / f"{name}.mp4", number + 9)
    write_clip(tmp_path / "real" / "M030#fear#level_1#001.mp4", 8)
    (tmp_path / "models").mkdir()
    write_published(tmp_path / "models", 136, "face_landmark_68_model")
    write_published(tmp_path / "models", 7, "face_expression_model")
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "syncnet.safetensors", {"syncnet": MiniSyncNet()}, {"preset": "syncnet"})
    words = ["evaluate", str(tmp_path / "made"), "--reference", str(tmp_path / "real"), "--protocol", "mead"]
    words += ["--out", str(tmp_path / "out"), "--models", str(tmp_path / "models"), "--no-faces"]
    words += ["--mini", str(tmp_path / "syncnet.safetensors"), "--silent", str(tmp_path / "still")]
    assert main(words) == 0
    table = (tmp_path / "out" / "table.md").read_text()
    assert table in capsys.readouterr().out
    head, _, real, made, *rest = table.splitlines()
    columns = [cell.strip() for cell in head.strip("|").split("|")]
    wanted = {"LSE-C (mini) ↑", "LSE-D (mini) ↓", "PSNR, dB ↑", "M-LMD ↓", "Acc_emo ↑"}
    assert wanted | {"silent mouth, share ↓"} <= set(columns)
    sync = columns.index("LSE-C (mini) ↑")
    assert real.startswith("| Ground truth") and "±" in real.split("|")[sync + 1]
    assert made.startswith("| made |") and "±" in made.split("|")[sync + 1]
    said = "\n".join(rest)
    assert "2 clips of 3 real ones, 1 were not made" in said
    assert "1 videos of the folder are not of the protocol" in said
    assert "networks: face_expression_model" in said and "syncnet.safetensors" in said
    assert "FID: not computed: file inception-fid.safetensors missing" in said


def test_networks_are_found_where_fetching_puts_them(tmp_path: Path) -> None:
    below = tmp_path / "eadnet" / "faces"
    below.mkdir(parents=True)
    write_published(below, 136, "face_landmark_68_model")
    networks = find_networks(tmp_path, faces=False)
    assert networks.landmarks is not None and below / "face_landmark_68_model.bin" in networks.files
