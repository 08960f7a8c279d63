"""Words that the text encoder never read, put into words that it did."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from eadnet.checkpoints import bundled_mini, load_checkpoint
from eadnet.modules.text_encoder import MiniTextEncoder, split_words
from eadnet.modules.thesaurus import Thesaurus, bundled_thesaurus
from eadnet.synthetic import lexicon
from eadnet.synthetic.captions import describe
from eadnet.synthetic.descriptions import sample_descriptions

LINES = [
    "# a remark",
    "overjoyed\tblithesome|in clover",
    "very angry\tblow their lid",
    "sad\tclover",
    "mournful|gloomy|sad\tdolorific",
    "annoyed|angry\tvexatious",
]


@pytest.fixture
def thesaurus() -> Thesaurus:
    return Thesaurus.from_lines(LINES)


def read(thesaurus: Thesaurus, text: str) -> str:
    (said,), _ = thesaurus.read(split_words(text))
    return " ".join(said)


def test_an_unknown_word_is_read_as_a_known_one_and_the_rest_stays(thesaurus: Thesaurus) -> None:
    said, notes = thesaurus.read(split_words("She looks blithesome, brows raised"))
    assert said == [["she", "looks", "overjoyed", ",", "brows", "raised"]]
    assert notes == {"blithesome": ["overjoyed"]}


def test_several_known_words_are_as_many_ways_to_say_it(thesaurus: Thesaurus) -> None:
    said, notes = thesaurus.read(split_words("dolorific, vexatious"))
    assert said == [["mournful", ",", "annoyed"], ["gloomy", ",", "angry"], ["sad", ",", "annoyed"]]
    assert notes == {"dolorific": ["mournful", "gloomy", "sad"], "vexatious": ["annoyed", "angry"]}


def test_the_longest_phrase_wins(thesaurus: Thesaurus) -> None:
    assert read(thesaurus, "in clover") == "overjoyed"
    assert read(thesaurus, "clover") == "sad"


def test_a_phrase_is_found_whoever_its_owner_is(thesaurus: Thesaurus) -> None:
    for owner in ("his", "her", "my", "your", "one's", "their"):
        assert read(thesaurus, f"about to blow {owner} lid") == "about to very angry"


def test_a_negation_stays_before_its_word(thesaurus: Thesaurus) -> None:
    assert read(thesaurus, "not blithesome") == "not overjoyed"


def test_without_entries_nothing_changes() -> None:
    assert Thesaurus.from_lines([]).read(["any", "words"]) == ([["any", "words"]], {})


def test_what_the_encoder_was_trained_on_is_read_as_it_was() -> None:
    thesaurus = bundled_thesaurus()
    changed = [word.text for word in lexicon.entries() if thesaurus.read(split_words(word.text))[1]]
    assert not changed
    rng = np.random.default_rng(0)
    said = [description.text for description in sample_descriptions(rng, 2000)]
    said += [describe(rng, split).text for split in ("train", "validation", "test") for _ in range(300)]
    assert not [text for text in said if thesaurus.read(split_words(text))[1]]


def test_all_that_is_read_instead_is_known_and_nothing_is_read_twice() -> None:
    entries = bundled_thesaurus().entries
    known = {tuple(split_words(word.text)) for word in lexicon.entries()}
    known |= {(word,) for text in known for word in text}
    readings = {words for some in entries.values() for words in some}
    assert len(entries) > 3000
    assert readings <= known
    assert not [words for words in readings if bundled_thesaurus().read(words)[1]]


def test_plain_descriptions_of_people_and_pictures_are_left_alone() -> None:
    for text in (
        "a photo of a young woman with brown hair, wearing a blue hat, looking to the left",
        "an old man in a suit speaks into a microphone, mouth closed, head tilted down",
        "the character turns around and looks up at the sky",
    ):
        assert not bundled_thesaurus().read(split_words(text))[1]


def test_the_file_is_small() -> None:
    from importlib import resources

    import eadnet.modules

    data = resources.files(eadnet.modules).joinpath("thesaurus.tsv").read_bytes()
    assert len(data) <= 200_000


@pytest.fixture(scope="module")
def mini() -> MiniTextEncoder:
    encoder = load_checkpoint(bundled_mini(), only=["text_encoder"]).component("text_encoder")
    assert isinstance(encoder, MiniTextEncoder)
    return encoder.float().eval()


@pytest.mark.parametrize("text", ["", "happy", "not happy, brows furrowed", "she is holding back tears"])
def test_known_words_keep_their_tokens_to_the_last_bit(mini: MiniTextEncoder, text: str) -> None:
    with torch.no_grad():
        with_it = mini.encode([text])
        mini.uses_thesaurus = False
        without = mini.encode([text])
        mini.uses_thesaurus = True
    assert torch.equal(with_it, without)


def test_the_tokens_are_the_mean_of_the_known_words_and_the_log_says_which(
    mini: MiniTextEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    entries = bundled_thesaurus().entries
    (unknown,), known = next((k, v) for k, v in entries.items() if len(k) == 1 and len(v) == 3)
    with torch.no_grad(), caplog.at_level(logging.INFO):
        made = mini.encode([f"very {unknown}", "happy"])
        meant = mini.encode([f"very {' '.join(words)}" for words in known])
        happy = mini.encode(["happy"])
    torch.testing.assert_close(made[0], meant.mean(0))
    torch.testing.assert_close(made[1], happy[0])
    said = "', '".join(" ".join(words) for words in known)
    assert [record.getMessage() for record in caplog.records] == [
        f"The emotion text's '{unknown}' is read as '{said}'."
    ]


@pytest.mark.parametrize(
    ("unknown", "emotion"),
    [("lugubrious", "sad"), ("tetchy", "angry"), ("jubilantly", "happy"), ("apprehensively", "fearful")],
)
def test_a_word_without_a_relative_looks_as_it_means(
    mini: MiniTextEncoder, unknown: str, emotion: str
) -> None:
    """Nearer to its emotion's plain word than to every other emotion's."""
    plain = ["happy", "sad", "angry", "fearful", "disgusted", "surprised", "contemptuous", "calm"]
    with torch.no_grad():
        token, *others = mini.encode([unknown, *plain]).mean(1)
    away = {word: float((token - other).norm()) for word, other in zip(plain, others, strict=True)}
    assert min(away, key=lambda word: away[word]) == emotion


def test_for_training_words_are_their_letters(mini: MiniTextEncoder) -> None:
    tokens = mini.tokenize(["lugubrious"])
    assert tokens["mask"].sum() == 1
    assert torch.equal(tokens["grams"], mini.tokenize(["lugubrious "])["grams"])
