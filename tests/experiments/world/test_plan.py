"""The texts that held-out clips get in place of their own."""

from __future__ import annotations

from collections import Counter

from eadnet.synthetic.expression import EMOTIONS
from experiments.world.plan import level_of, swapped_text


def test_sixty_four_clips_get_every_emotion_and_level_about_equally_and_never_the_voices_own():
    names = list(EMOTIONS)
    swapped = [swapped_text(i, names[(3 * i) % 8]) for i in range(64)]
    assert all(one.emotion != names[(3 * i) % 8] for i, one in enumerate(swapped))
    assert min(Counter(one.emotion for one in swapped).values()) >= 5
    levels = Counter(one.level for one in swapped)
    assert set(levels) == {"low", "medium", "high"} and min(levels.values()) >= 16


def test_the_same_emotion_is_described_in_words_training_never_saw_and_in_words_it_did():
    for index in range(24):
        one = swapped_text(index, "none")
        assert one.held_out.emotion == one.seen.emotion == one.emotion
        assert one.held_out.text and one.seen.text
        assert one.held_out.text.lower() != one.seen.text.lower()
        assert swapped_text(index, "none") == one


def test_levels_are_cut_where_the_lexicon_cuts_them():
    assert [level_of(x) for x in (0.0, 0.5, 0.51, 0.8, 0.9)] == ["low", "low", "medium", "medium", "high"]
