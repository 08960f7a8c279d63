"""Data sets as they lie on disk: which files, who speaks, what is held out."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from eadnet.errors import InputError
from eadnet.preparation.clip import Rejection, Source
from eadnet.preparation.layouts import HDTF_TEST, find_sources, source_id, split_of


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def found(folder: Path, layout: str, *views: str) -> dict[str, tuple[Source, Rejection | None]]:
    return {source.name: (source, why) for source, why in find_sources(folder, layout, views)}


@pytest.mark.parametrize(
    "name",
    [
        "W011/video/left_30/surprised/level_2/017.mp4",
        "W011/left_30/surprised_level_2/017.mp4",
        "video/left_30/W011#surprised#level_2#017.mp4",
    ],
)
def test_meads_names_say_actor_emotion_level_and_view(tmp_path: Path, name: str) -> None:
    ((source, why),) = find_sources(tree(tmp_path, name), "mead")
    assert why is None
    assert (source.speaker, source.emotion, source.level, source.view) == ("W011", "surprised", 2, "left_30")
    assert source.sound is None


def test_meads_sound_is_found_by_actor_emotion_level_and_number(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "M003/video/front/angry/level_1/001.mp4",
        "M003/video/top/angry/level_1/001.mp4",
        "M003/video/front/angry/level_2/001.mp4",
        "M003/audio/angry/level_1/001.m4a",
        "M003/audio/angry/level_1/002.m4a",
        "W009/front/fear_level_3/002.mp4",
        "W009/audio/fear_level_3/002.m4a",
    )
    by_name = found(tmp_path, "mead")
    sounds = {name: source.sound and source.sound.name for name, (source, _) in by_name.items()}
    assert sounds == {
        "M003/video/front/angry/level_1/001.mp4": "001.m4a",
        "M003/video/top/angry/level_1/001.mp4": "001.m4a",
        "M003/video/front/angry/level_2/001.mp4": None,
        "W009/front/fear_level_3/002.mp4": "002.m4a",
    }
    assert by_name["W009/front/fear_level_3/002.mp4"][0].emotion == "fearful"


def test_meads_four_actors_are_for_the_test(tmp_path: Path) -> None:
    actors = ["M003", "M030", "W009", "W015", *(f"M{number:03}" for number in range(31, 43))]
    tree(tmp_path, *(f"{actor}/video/front/sad/level_1/001.mp4" for actor in actors))
    splits = {source.speaker: source.split for source, _ in find_sources(tmp_path, "mead")}
    assert {actor for actor, split in splits.items() if split == "test"} == {"M003", "M030", "W009", "W015"}
    assert "train" in splits.values()


def test_only_the_views_that_are_asked_for_are_taken(tmp_path: Path) -> None:
    tree(tmp_path, "M003/video/front/sad/level_1/1.mp4", "M003/video/down/sad/level_1/1.mp4")
    by_name = found(tmp_path, "mead", "front")
    assert by_name["M003/video/front/sad/level_1/1.mp4"][1] is None
    assert "view down" in by_name["M003/video/down/sad/level_1/1.mp4"][1].reason  # type: ignore[union-attr]


def test_views_that_are_none_are_refused(tmp_path: Path) -> None:
    tree(tmp_path, "M003/video/front/sad/level_1/1.mp4")
    with pytest.raises(InputError, match="did you mean left_30"):
        find_sources(tmp_path, "mead", ("left30",))
    with pytest.raises(InputError, match="leave --views out"):
        find_sources(tmp_path, "folder", ("front",))


def test_hdtf_is_cut_by_its_annotations_unless_it_was_cut_before(tmp_path: Path) -> None:
    tree(tmp_path, "RD_Radio1.mp4", "WDA/TomCarper.mp4", "WDA_TomCarper_003.mp4", "RD/Radio7.mp4", "a.mp4")
    lists = tmp_path / "HDTF_dataset"
    lists.mkdir()
    (lists / "RD_annotion_time.txt").write_text(
        "Radio1.mp4 00:20-01:35 1:02:03-1:02:04.5 \n\nRadio7.mp4\n", "utf-8"
    )
    (lists / "WDA_annotion_time.txt").write_text("TomCarper.mp4 00:05-00:50\n", "utf-8")
    (lists / "RD_crop_wh.txt").write_text("Radio1_0.mp4 1 2 3 4\n", "utf-8")
    by_name = found(tmp_path, "hdtf")
    assert by_name["RD_Radio1.mp4"][0].spans == ((20.0, 95.0), (3723.0, 3724.5))
    assert by_name["WDA/TomCarper.mp4"][0].spans == ((5.0, 50.0),)
    assert by_name["WDA_TomCarper_003.mp4"][0].spans == ()
    assert by_name["WDA_TomCarper_003.mp4"][0].speaker == "WDA_TomCarper"
    assert by_name["WDA_TomCarper_003.mp4"][1] is None
    assert "annotations" in by_name["RD/Radio7.mp4"][1].reason  # type: ignore[union-attr]
    assert by_name["a.mp4"][1].stage == "layout"  # type: ignore[union-attr]


def test_the_people_of_hdtfs_two_test_lists_are_for_the_test(tmp_path: Path) -> None:
    assert len(HDTF_TEST) == 18 + 73 - 7, "several videos of some, seven people in both"
    tree(tmp_path, "WDA_XavierBecerra_002.mp4", "RD_Radio8_000.mp4", "RD_Radio1_000.mp4", "RD_Radio2_000.mp4")
    splits = {source.speaker: source.split for source, _ in find_sources(tmp_path, "hdtf")}
    assert splits["WDA_XavierBecerra"] == splits["RD_Radio8"] == "test"
    assert splits["RD_Radio1"] == "test" and splits["RD_Radio2"] != "test"


def test_any_folder_has_its_first_folders_for_speakers(tmp_path: Path) -> None:
    tree(tmp_path, "Åsa/1/film one.MP4", "Åsa/2.mov", "bob.mkv", "notes.txt", ".hidden.mp4", "bob.wav")
    by_name = found(tmp_path, "folder")
    assert [*by_name] == ["bob.mkv", "Åsa/1/film one.MP4", "Åsa/2.mov"]
    assert [source.speaker for source, _ in by_name.values()] == ["bob", "Åsa", "Åsa"]
    assert by_name["bob.mkv"][0].sound == tmp_path / "bob.wav"


def test_ids_are_short_plain_and_of_one_file_each() -> None:
    names = ["a b.mp4", "a-b.mp4", "a/b.mp4", "ä.mp4", "日本語.mp4", "x/" * 60 + "long.mp4"]
    ids = [source_id(name) for name in names]
    assert len(set(ids)) == len(names)
    assert all(len(text) < 64 and text.replace("-", "").replace("_", "").isalnum() for text in ids)
    assert source_id("a b.mp4") == ids[0]


def test_one_in_twenty_speakers_validates() -> None:
    splits = [split_of(f"speaker {number}") for number in range(2000)]
    assert 60 <= splits.count("val") <= 140
    assert set(splits) == {"train", "val"}


def test_folders_without_videos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        find_sources(tmp_path / "none", "folder")
    with pytest.raises(InputError, match="contains no videos"):
        find_sources(tree(tmp_path, "readme.txt"), "mead")


def test_links_to_folders_elsewhere_are_followed_once_and_loops_are_not(tmp_path: Path) -> None:
    data = tree(tmp_path / "data", "anna/1.mp4")
    tree(tmp_path / "disk", "carla/2.mp4", "3.mp4")
    (tmp_path / "disk" / "up").symlink_to(tmp_path)  # leads to both
    for name, target in (
        ("linked", tmp_path / "disk"),
        ("linked again", tmp_path / "disk"),
        ("loop", data),
        ("anna again", data / "anna"),
        ("gone", tmp_path / "none"),
    ):
        (data / name).symlink_to(target, target_is_directory=True)
    assert [*found(data, "folder")] == ["anna/1.mp4", "linked/3.mp4", "linked/carla/2.mp4"]


def test_a_folder_below_that_may_not_be_read_is_named_and_the_others_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tree(tmp_path, "anna/1.mp4", "private/2.mp4")
    scan = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "private":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert [*found(tmp_path, "folder")] == ["anna/1.mp4"]
    assert "private cannot be read (Permission denied): what is in it is left out" in caplog.text


def test_names_that_are_no_text_can_be_shown(tmp_path: Path) -> None:
    raw = bytes(tmp_path) + b"/caf\xe9.mp4"
    try:
        open(raw, "wb").close()
    except OSError:
        pytest.skip("this file system takes text alone")
    ((source, _),) = find_sources(tmp_path, "folder")
    assert source.name.encode("utf-8") == b"caf\\udce9.mp4"
    assert source.path.is_file()
