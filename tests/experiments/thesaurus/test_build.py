"""A thesaurus from a WordNet of seven senses and vectors of ten words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from eadnet.errors import InputError
from eadnet.modules.text_encoder import split_words
from eadnet.modules.thesaurus import Thesaurus
from eadnet.synthetic import lexicon
from experiments.thesaurus import build
from experiments.thesaurus.forms import spelled, verb_forms
from experiments.thesaurus.known import Known
from experiments.thesaurus.nearness import Nearness, affirmed, lemmas
from experiments.thesaurus.vectors import DIM, Vectors
from experiments.thesaurus.wordnet import WordNet
from experiments.words import everyday

LICENCE = "  1 a licence, which is indented\n"
ADJECTIVES = """\
00000001 00 a 01 sad 0 002 & 00000002 a 0000 ! 00000003 a 0101 | of sorrow; "sad news"
00000002 00 s 02 glumsome 0 tear-worn(a) 0 001 & 00000001 a 0000 | in a gloomy mood
00000003 00 a 01 happy 0 002 & 00000004 a 0000 ! 00000001 a 0101 | not sad
00000004 00 s 01 gladful 0 001 & 00000003 a 0000 | full of joy
"""
VERBS = '00000001 37 v 01 blow_one\'s_lid 0 001 + 00000005 a 0000 01 + 02 00 | become very angry; "he did"\n'
MORE = "00000005 00 s 01 angry 0 000 | of rage\n"


@pytest.fixture(scope="module")
def wordnet(tmp_path_factory: pytest.TempPathFactory) -> WordNet:
    folder = tmp_path_factory.mktemp("wordnet")
    data = {"noun": "", "adv": "", "adj": ADJECTIVES + MORE, "verb": VERBS}
    index = {
        "adj": "sad a 1 0 1 0 00000001\nhappy a 1 0 1 0 00000003\nglumsome a 1 0 1 0 00000002\n"
        "tear-worn a 1 0 1 0 00000002\ngladful a 1 0 1 0 00000004\nangry a 1 0 1 0 00000005\n",
        "verb": "blow_one's_lid v 1 0 1 0 00000001\n",
    }
    for part, text in data.items():
        (folder / f"data.{part}").write_text(LICENCE + text, encoding="utf-8")
        (folder / f"index.{part}").write_text(LICENCE + index.get(part, ""), encoding="utf-8")
    return WordNet.read(folder)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Vectors:
    rng = np.random.default_rng(0)
    words = ["sad", "happy", "angry", "gloomy", "joy", "sorrow", "rage", "mood", "chair", "walk"]
    rows = {word: [*rng.normal(size=DIM).tolist(), 1.0, i] for i, word in enumerate(words)}
    path = tmp_path_factory.mktemp("vectors") / "vectors.json"
    path.write_text(json.dumps({"words": words, "vectors": rows}), encoding="utf-8")
    assert np.array_equal(Vectors.read(path).matrix, Vectors.read(path).matrix), "the copy is the same"
    return Vectors.read(path)


@pytest.fixture(scope="module")
def nearness(wordnet: WordNet, vectors: Vectors) -> Nearness:
    return Nearness(wordnet, vectors, ["sad", "happy", "angry", "gloomy"])


def nearest(nearness: Nearness, text: str) -> str:
    return nearness.known[int(nearness.scores(text).argmax())]


def test_senses_have_their_lemmas_links_and_definitions(wordnet: WordNet) -> None:
    sense = wordnet.senses["adj:00000002"]
    assert sense.lemmas == ("glumsome", "tear-worn") and sense.gloss == "in a gloomy mood"
    assert sense.links == (("&", "adj:00000001"),)
    assert wordnet.of_lemma["blow one's lid"] == ("verb:00000001",)
    assert wordnet.senses["adj:00000001"].gloss == "of sorrow", "without the example"


def test_a_relation_or_a_definition_leads_to_the_known_word(nearness: Nearness) -> None:
    assert nearest(nearness, "glumsome") in ("sad", "gloomy")
    assert nearest(nearness, "gladful") == "happy"
    assert nearest(nearness, "blowing his lid") == "angry"


def test_an_opposite_is_further_than_a_word_that_has_nothing_to_do_with_it(nearness: Nearness) -> None:
    scores = dict(zip(nearness.known, nearness._by_graph("adj:00000004"), strict=True))
    assert scores["sad"] < 0 == scores["angry"] < scores["happy"]


def test_what_a_definition_denies_is_not_in_it() -> None:
    assert affirmed("calm (of people); not easily excited, but quiet, without fear") == [
        "calm",
        "but",
        "quiet",
    ]


def test_lemmas_are_looked_up_as_dictionaries_spell_them() -> None:
    assert "hit the roof" in lemmas("hitting the roof")
    assert "blow one's lid" in lemmas("blowing their lid")
    assert "seventh heaven" in lemmas("in seventh heaven")


def test_verbs_are_written_in_all_their_forms_and_owners_alike() -> None:
    assert verb_forms("hit the roof") == ["hit the roof", "hits the roof", "hitting the roof", "hit the roof"]
    assert verb_forms("cry")[1:] == ["cries", "crying", "cried"]
    assert verb_forms("be over the moon") == ["over the moon"]
    assert spelled("beside oneself, at one's wits' end") == "beside themselves, at their wits' end"


def test_what_was_read_is_known_and_the_unseen_are_not() -> None:
    known = Known.read()
    assert known.has(("happy",)) and known.has(("holding", "back", "tears"))
    assert known.has(("feeling", "happy")), "the word before it changes nothing"
    # "beseeching" is in a feature's phrase.
    unread = [word.text for word in lexicon.unseen() if known.has(tuple(split_words(word.text)))]
    assert unread == ["beseeching"]


def test_lines_are_read_again_as_they_were_meant() -> None:
    text = build.lines({("glumsome",): ("sad", "gloomy"), ("tear", "worn"): ("sad", "gloomy")})
    assert Thesaurus.from_lines(text.splitlines()).entries == {
        ("glumsome",): (("sad",), ("gloomy",)),
        ("tear", "worn"): (("sad",), ("gloomy",)),
    }


def test_what_judges_the_thesaurus_is_not_written_by_hand(tmp_path: Path) -> None:
    known, path = Known.read(), tmp_path / "by_hand.tsv"
    path.write_text("happy\tto have a blast|in clover\n", encoding="utf-8")
    assert build.by_hand(path, known, [])[("having", "a", "blast")] == ("happy",)
    with pytest.raises(InputError, match="'having a blast' in by_hand.tsv judges"):
        build.by_hand(path, known, [("having", "a", "blast")])
    path.write_text("blithesome\tin clover\n", encoding="utf-8")
    with pytest.raises(InputError, match="'blithesome' in by_hand.tsv was never read"):
        build.by_hand(path, known, [])


def test_none_of_the_judges_is_in_the_file_that_is_kept() -> None:
    judges = [tuple(split_words(text)) for text in (*(w.text for w in lexicon.unseen()), *everyday())]
    assert build.by_hand(build.BY_HAND, Known.read(), judges)
