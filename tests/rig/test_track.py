"""Tracks: by name, at any rate, cut, joined, edited, kept in files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from eadnet.errors import InputError
from eadnet.rig.arkit import ARKIT, from_facs, to_facs
from eadnet.rig.expression import INDEX, PARAMETERS, RANGES
from eadnet.rig.track import GROUPS, Track
from tests.quick import examples

LOW, HIGH = torch.from_numpy(RANGES).unbind(1)


def drawn(frames: int, seed: int = 0) -> torch.Tensor:
    return LOW + (HIGH - LOW) * torch.rand(frames, len(PARAMETERS), generator=torch.manual_seed(seed))


def test_a_name_without_a_side_means_both() -> None:
    track = Track.of({"smile": [0.0, 0.5], "jaw_open": [1.0, 0.0]})
    assert track["smile_l"].tolist() == track["smile_r"].tolist() == track["smile"].tolist() == [0.0, 0.5]
    assert track["brow_lower"].abs().max() == track["frown"].abs().max() == 0
    assert len(track) == 2 and track.seconds == 2 / 25


def test_every_group_is_made_of_parameters_and_speech_and_emotion_share_none() -> None:
    assert all(name in INDEX for names in GROUPS.values() for name in names)
    assert not set(GROUPS["mouth"]) & set(GROUPS["emotion"])
    apart = ("mouth", "emotion", "blink", "gaze", "head")
    assert sorted(name for group in apart for name in GROUPS[group]) == sorted(PARAMETERS)


@given(frames=st.integers(1, 60), fps=st.floats(5, 60), other=st.floats(5, 60))
@examples(40)
def test_another_rate_keeps_the_duration_and_stays_within_the_values(
    frames: int, fps: float, other: float
) -> None:
    track = Track(drawn(frames), fps)
    again = track.resampled(other)
    assert abs(again.seconds - track.seconds) <= max(0.5, 1.0) / other + 1e-6
    assert (again.values <= track.values.amax(0) + 1e-5).all()
    assert (again.values >= track.values.amin(0) - 1e-5).all()


def test_a_moment_stays_where_it_is_at_another_rate() -> None:
    peak = torch.zeros(100, len(PARAMETERS))
    peak[40, INDEX["jaw_open"]] = 1.0  # shown at 1.62 s
    found = Track(peak, 25).resampled(60)
    assert abs((float(found["jaw_open"].argmax()) + 0.5) / 60 - 1.62) < 0.5 / 60 + 1e-6


def test_edits_multiply_then_add_and_stay_in_range() -> None:
    track = Track.of({"smile": [0.4, 0.8], "jaw_open": [0.2, 0.2], "blink": [0.0, 1.0]})
    edited = track.edited(multiply={"smile": 2.0, "blink": 0.0}, add={"jaw_open": 0.1})
    assert edited["smile"].tolist() == pytest.approx([0.8, 1.0])
    assert edited["jaw_open"].tolist() == pytest.approx([0.3, 0.3])
    assert edited["blink"].tolist() == [0.0, 0.0]
    assert track["smile"].tolist() == pytest.approx([0.4, 0.8]), "the track itself stays"


def test_groups_of_another_track_replace_or_add() -> None:
    speaks = Track.of({"jaw_open": [0.5, 0.5, 0.5], "smile": [0.1, 0.1, 0.1]})
    feels = Track.of({"jaw_open": [0.9], "smile": [0.6], "brow_lower": [1.0]})
    both = speaks.added(feels, groups=("emotion",))
    assert both["jaw_open"].tolist() == pytest.approx([0.5] * 3), "the lips are left alone"
    assert both["smile"].tolist() == pytest.approx([0.7] * 3), "a short track is held"
    assert speaks.replaced(feels, groups=("mouth",))["jaw_open"].tolist() == pytest.approx([0.9] * 3)


def test_cut_and_join() -> None:
    track = Track(drawn(10), 25)
    whole = track.cut(0, 4).joined(track.cut(4, 10))
    assert torch.equal(whole.values, track.values)


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_a_file_gives_back_what_was_saved(tmp_path: Path, suffix: str) -> None:
    track = Track(drawn(7), 29.97)
    track.save(tmp_path / f"a{suffix}")
    again = Track.load(tmp_path / f"a{suffix}")
    assert again.fps == track.fps and torch.allclose(again.values, track.values, atol=1e-5)


def test_a_file_written_by_hand_may_name_a_few_parameters_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(
        json.dumps({"fps": 25, "names": ["smile_r", "jaw_open"], "rows": [[0.1, 0.2], [0.3, 0.4]]})
    )
    track = Track.load(path)
    assert track["jaw_open"].tolist() == pytest.approx([0.2, 0.4]) and track["smile_l"].tolist() == [0, 0]


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", "null", '{"fps": "x", "names": [], "rows": []}', "[" * 100_000),
        *(
            '{"fps": 1e999, "names": ["jaw_open"], "rows": [[0]]}',
            '{"fps": 25, "names": ["jaw_open"], "rows": [[]]}',
        ),
        *(
            '{"fps": 25, "names": ["jaw_open"], "rows": [[NaN]]}',
            '{"fps": 25, "names": ["jaw_open"], "rows": [["a"]]}',
        ),
        *(
            '{"fps": 25, "names": ["jaw_open"], "rows": [1, 2]}',
            '{"fps": 25, "names": ["jaw_open"], "rows": [[[1]]]}',
            '{"fps": 1' + "0" * 400 + ', "names": ["jaw_open"], "rows": [[1]]}',
            '{"fps": 25, "names": ["jaw_open"], "rows": [[1' + "0" * 400 + "]]}",
        ),
        *('{"fps": 0, "names": ["jaw_open"], "rows": [[1]]}', '{"fps": 25, "names": ["jaw"], "rows": [[1]]}'),
    ],
)
def test_a_damaged_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    for name in ("a.json", "a.safetensors", "a.txt"):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError) as caught:
            Track.load(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "values", [torch.zeros(3), torch.zeros(3, 1, 1), torch.zeros(3, 1, dtype=torch.complex64)]
)
def test_values_of_another_kind_are_one_sentence(tmp_path: Path, values: torch.Tensor) -> None:
    save_file({"values": values}, tmp_path / "t.safetensors", {"track": '{"fps": 25, "names": ["jaw_open"]}'})
    with pytest.raises(InputError, match="damaged"):
        Track.load(tmp_path / "t.safetensors")


def test_a_file_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    text = '{"fps": 25, "names": ["jaw_open"], "rows": [[0.5]]}'
    (tmp_path / "t.json").write_text(text, encoding="utf-8-sig")
    assert Track.load(tmp_path / "t.json")["jaw_open"].tolist() == [0.5]


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InputError, match="choose another place"):
        Track.of({"smile": [0.5]}).save(tmp_path / "missing" / f"t{suffix}")


def test_unknown_names_get_a_hint() -> None:
    with pytest.raises(InputError, match="smile"):
        Track.of({"smil": [0.0]})


def test_what_is_no_track_is_refused() -> None:
    for values, fps in (
        (torch.zeros(3, 2), 25.0),
        (torch.full((1, len(PARAMETERS)), torch.nan), 25.0),
        (torch.zeros(1, len(PARAMETERS)), 0.0),
        (torch.zeros(1, len(PARAMETERS)), float("nan")),
    ):
        with pytest.raises(InputError):
            Track(values, fps)


def test_arkit_has_its_52_shapes() -> None:
    assert len(set(ARKIT)) == 52 and list(ARKIT) == sorted(ARKIT)


def test_there_and_back_changes_only_what_arkit_cannot_say() -> None:
    values = drawn(20)
    values[:, INDEX["jaw_open"]] = values[:, INDEX["jaw_open"]].clamp(min=0.1)
    values[:, INDEX["inner_brow_up_l"]] = values[:, INDEX["inner_brow_up_r"]]  # one shape for both
    lost = {"tongue_up", *GROUPS["head"]}
    kept = [INDEX[name] for name in PARAMETERS if name not in lost]
    again = to_facs(from_facs(values))
    assert torch.allclose(again[:, kept], values[:, kept], atol=1e-5)
    assert again[:, [INDEX[name] for name in lost]].abs().max() == 0
    assert ((from_facs(values) >= 0) & (from_facs(values) <= 1)).all()


def test_looking_to_the_persons_left_is_towards_the_pictures_right() -> None:
    track = Track.from_arkit([{"eyeLookOutLeft": 0.8, "eyeLookInRight": 0.8, "eyeLookDownLeft": 0.4}], 25)
    assert track["gaze_x"].item() == pytest.approx(0.8) and track["gaze_y"].item() == pytest.approx(0.2)


def test_frames_without_a_face_are_bridged() -> None:
    rows = [None, {"jawOpen": 0.2}, None, None, {"jawOpen": 0.8}, None]
    jaw = Track.from_arkit(rows, 25)["jaw_open"]
    assert jaw.tolist() == pytest.approx([0.2, 0.2, 0.4, 0.6, 0.8, 0.8])


def test_the_calm_face_counts_as_none() -> None:
    track = Track.from_arkit([{"mouthSmileLeft": 0.5}], 25, rest={"mouthSmileLeft": 0.3, "jawOpen": 0.9})
    assert track["smile_l"].item() == pytest.approx(0.2) and track["jaw_open"].item() == 0
