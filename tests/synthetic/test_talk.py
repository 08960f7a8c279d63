"""Talk in files."""

import json

import numpy as np
import pytest

from eadnet.errors import InputError
from eadnet.synthetic.speech import PAUSE, Phoneme
from eadnet.synthetic.talk import Talk, espeak_talk, make_talk, read_shards, write_shard
from eadnet.synthetic.visemes import MOUTH


def spoken(split="train", seconds=0.4, source="piper"):
    rng = np.random.default_rng(0)
    wave = (0.3 * rng.standard_normal(int(seconds * 16_000))).clip(-1, 1).astype(np.float32)
    phonemes = (Phoneme(PAUSE, 0.0, 0.1), Phoneme("a", 0.1, 0.3, 2), Phoneme(PAUSE, 0.3, seconds))
    return Talk(wave, phonemes, "Ah.", "en", source, "somebody", split)


def test_what_is_written_is_read_again(tmp_path):
    talks = [spoken(seconds=0.4), spoken("speakers", seconds=0.8, source="kokoro")]
    write_shard(tmp_path / "a.npz", talks)
    read = list(read_shards(tmp_path))
    assert [(t.phonemes, t.text, t.split, t.source) for t in read] == [
        (t.phonemes, t.text, t.split, t.source) for t in talks
    ]
    for made, found in zip(talks, read, strict=True):
        assert np.abs(made.waveform - found.waveform).max() < 1e-4


def test_a_split_and_a_source_can_be_asked_for(tmp_path):
    write_shard(tmp_path / "a.npz", [spoken("train"), spoken("sentences", source="espeak")])
    assert [t.split for t in read_shards(tmp_path, split="sentences")] == ["sentences"]
    assert [t.source for t in read_shards(tmp_path, source="piper")] == ["piper"]


def test_unfinished_shards_are_passed_over_and_an_empty_folder_is_named(tmp_path):
    (tmp_path / "b.npz.part.npz").write_bytes(b"half")
    with pytest.raises(InputError, match="no talk"):
        list(read_shards(tmp_path))


def test_mouths_are_made_when_they_are_asked_for():
    mouth = spoken().mouth()
    assert mouth.shape == (10, len(MOUTH))
    assert mouth[5, MOUTH.index("jaw_open")] > mouth[0, MOUTH.index("jaw_open")]


def test_the_same_seed_says_the_same_and_shards_that_are_there_are_kept(tmp_path):
    pytest.importorskip("espeakng_loader")
    one, again = (espeak_talk(np.random.default_rng(3)) for _ in range(2))
    assert one.text == again.text and np.array_equal(one.waveform, again.waveform)
    assert len(one.waveform) % 640 == 0 and len(one.waveform) <= 7 * 16_000
    make_talk(tmp_path, "espeak", 2)
    first = (tmp_path / "espeak_000000.npz").stat().st_mtime_ns
    make_talk(tmp_path, "espeak", 2)
    assert (tmp_path / "espeak_000000.npz").stat().st_mtime_ns == first
    assert len(json.loads(str(np.load(tmp_path / "espeak_000000.npz")["known"]))) == 2


def test_an_unknown_source_is_named(tmp_path):
    with pytest.raises(InputError, match="use espeak, piper, kokoro"):
        make_talk(tmp_path, "parrot", 1)
