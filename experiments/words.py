"""A hundred words that no training text uses: the faces they mean, and those a text encoder makes of them.

    python -m experiments words                     # what the words mean
    python -m experiments words --checkpoint mini   # and what mini makes of them

The encoder's faces are read by a linear probe on the mean of its tokens, fitted on sentences of the kind it
was trained on. Controls: the same readings against other words' faces, words by their letters alone, without
the thesaurus, and words that it was trained on.

Beside them sixty everyday words that are not in the lexicon, with the emotion that one would expect
(`everyday_words.json`, written down before there was a thesaurus).
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from eadnet.modules.text_encoder import MiniTextEncoder, split_words
from eadnet.modules.thesaurus import bundled_thesaurus
from eadnet.rendering import load_model
from eadnet.synthetic import lexicon
from eadnet.synthetic.captions import nearest_emotion
from eadnet.synthetic.descriptions import expressions_of, sample_descriptions
from eadnet.synthetic.expression import EMOTIONS, PARAMETERS, RANGES
from eadnet.synthetic.gallery import person
from eadnet.synthetic.lexicon import Word
from eadnet.synthetic.renderer import Renderer
from experiments.paths import RESULTS

FACE = tuple(i for i, name in enumerate(PARAMETERS) if not name.startswith("head_"))
"""Columns of the parameters that words may move."""

SENTENCES, RIDGE = 4000, 1e-2
ACTOR, CELL, COLUMNS, GAP, LABEL = 138, 96, 10, 6, 30
PAPER, INK, FAINT = (247, 245, 241), (60, 58, 56), (140, 136, 132)

THESAURUS = """\
**The thesaurus** (`eadnet/modules/thesaurus.tsv`, plain text, 117 KB) says of 4,310 words and phrases that
no training text uses which one to four known ones mean the nearest. The tokens are the mean of the sentence
with each of them, and the log says which: "The emotion text's 'lugubrious' is read as 'mournful',
'sorrowful', 'plaintive', 'doleful'". Known words keep their tokens to the last bit
(`tests/modules/test_thesaurus.py`). Where training teaches the text encoder itself, words are their letters;
where it is frozen (motion, adapters), training reads texts as a graph does.

It is made by `python -m experiments thesaurus` from WordNet 3.1 (relations, opposites taken off, known
words in definitions) and GloVe's vectors; no vector and no definition is in it. Weights and limits were
chosen on known words, each read through others that share no stem with it: r of the neighbours' mean face
with its own .67 for 500 words (the nearest alone .60). The hundred unseen words had no part in that; 560
idioms were written by hand, none of which judges (the builder refuses those that do). Sixty everyday words
that are in no entry of the lexicon (`experiments/everyday_words.json`) were written down with their emotion
before there was a thesaurus.

A first one of 5,582 entries had much nonsense in it, found by reading: "ill-bred" as "saying grace", "think
of" as "knowing" and "kind concern", since phrases such as "kind concern" are near everything. Now single
words alone stand for others, nothing is kept whose neighbours' faces disagree, and phrases must speak of
feelings more plainly. Single words gained by that (.63 to .67), phrases lost (.56 to .50). Idioms are judged
by their definition, a rule that came after a first look at the result, as did the last value of two limits;
so the phrases' number may flatter a little.

**Short of the aim of .8:** a thesaurus can be no better than its neighbours times what the encoder reads of
known words (.91). An idiom that no dictionary of ours has is read word by word: something of 45 of the
56 single words is in it, of 10 of the 44 phrases and of 16 of the 60 everyday ones. Putting
several neighbours in one place, by their n-grams or between commas, instead of taking the mean of the
tokens, lost .10.
"""

Array = NDArray[np.float64]


def meanings(words: Sequence[Word]) -> Array:
    """Facial parameters [N, P] that the lexicon gives to words."""
    faces = np.zeros((len(words), len(PARAMETERS)))
    for row, word in enumerate(words):
        for name, value in word.parameters.items():
            faces[row, PARAMETERS.index(name)] = value
    return faces


@dataclass(frozen=True)
class LinearProbe:
    """Sentences to facial parameters: an encoder and a linear map of its mean token [dim + 1, len(FACE)]."""

    encoder: MiniTextEncoder
    weights: Array

    @classmethod
    def fit(cls, encoder: MiniTextEncoder, sentences: int = SENTENCES, seed: int = 0) -> LinearProbe:
        """By ridge regression on training sentences and the faces that they mean."""
        drawn = sample_descriptions(np.random.default_rng(seed), sentences)
        x = _tokens(encoder, [description.text for description in drawn])
        y = expressions_of(drawn).astype(np.float64)[:, FACE]
        penalty = RIDGE * len(x) * np.eye(x.shape[1]) * x.var(0).mean()
        penalty[-1, -1] = 0.0  # the bias is free
        return cls(encoder, np.linalg.solve(x.T @ x + penalty, x.T @ y))

    def __call__(self, texts: Sequence[str]) -> Array:
        """Facial parameters [N, P] within their ranges; the head's pose is 0."""
        faces = np.zeros((len(texts), len(PARAMETERS)))
        faces[:, FACE] = _tokens(self.encoder, texts) @ self.weights
        return np.clip(faces, RANGES[:, 0], RANGES[:, 1])


@torch.no_grad()
def _tokens(encoder: MiniTextEncoder, texts: Sequence[str], batch: int = 256) -> Array:
    """Mean tokens with a one for the bias [N, dim + 1]."""
    parts = [encoder.encode(texts[i : i + batch]).mean(1) for i in range(0, len(texts), batch)]
    means = torch.cat(parts).double().cpu().numpy()
    return np.concatenate([means, np.ones((len(means), 1))], 1)


def agreement(made: Array, target: Array) -> float:
    """r over words and parameters, each parameter centred over the words: the average face scores 0."""
    a, b = made - made.mean(0), target - target.mean(0)
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-12))


def emotions_of(faces: Array) -> list[str]:
    """The emotion nearest to each face [N, P]."""
    return [nearest_emotion(dict(zip(PARAMETERS, face, strict=True))) for face in faces]


def has_relative(word: Word, trained: frozenset[str]) -> bool:
    """Whether a training word begins like one of this word's own ("hysteria", "hysterical")."""
    return not _stems(word.text).isdisjoint(trained)


def training_stems() -> frozenset[str]:
    return frozenset(stem for word in lexicon.entries() for stem in _stems(word.text))


def _stems(text: str) -> set[str]:
    """First five letters of the words that are long enough to carry a meaning."""
    return {word[:5] for word in re.findall(r"[a-z]+", text.lower()) if len(word) >= 5}


@dataclass(frozen=True)
class Score:
    """How a group of words is read: r with the target faces, and how often the nearest emotion is the target
    one; beside each the mean of the same over pairings with other words' faces.
    """

    name: str
    count: int
    r: float
    r_shuffled: float
    emotion: float
    emotion_shuffled: float


def score(name: str, made: Array, target: Array) -> Score:
    """Of words of one group, [N, P] both, N at least 3."""
    read, intended = emotions_of(made), emotions_of(target)
    shifts = range(1, len(made))

    def same(shift: int) -> float:
        return float(np.mean([read[i] == intended[(i + shift) % len(intended)] for i in range(len(read))]))

    return Score(
        name,
        len(made),
        agreement(made, target),
        float(np.mean([agreement(made, np.roll(target, -shift, 0)) for shift in shifts])),
        same(0),
        float(np.mean([same(shift) for shift in shifts])),
    )


def groups() -> dict[str, tuple[Word, ...]]:
    """The unseen words: all, single ones and phrases, with and without relatives in training; and training
    words of the test split.
    """
    unseen, stems = lexicon.unseen(), training_stems()
    return {
        "unseen": unseen,
        "unseen, single words": tuple(word for word in unseen if is_single(word.text)),
        "unseen, phrases": tuple(word for word in unseen if not is_single(word.text)),
        "unseen, a relative is in training": tuple(word for word in unseen if has_relative(word, stems)),
        "unseen, no relative": tuple(word for word in unseen if not has_relative(word, stems)),
        "in no clip, but in the encoder's training": lexicon.words("test"),
    }


def is_single(text: str) -> bool:
    """Whether the encoder reads a text as one word."""
    return len(split_words(text)) == 1


def scores(probe: LinearProbe) -> list[Score]:
    """Of every group."""
    return [
        score(name, probe([word.text for word in words]), meanings(words)) for name, words in groups().items()
    ]


@contextmanager
def by_letters(encoder: MiniTextEncoder) -> Iterator[None]:
    """The encoder without its thesaurus."""
    encoder.uses_thesaurus = False
    try:
        yield
    finally:
        encoder.uses_thesaurus = True


def everyday() -> dict[str, str]:
    """Everyday words and phrases, and the emotion that each should show."""
    table = json.loads(Path(__file__).with_name("everyday_words.json").read_text("utf-8"))
    return {text: emotion for emotion, texts in table.items() for text in texts}


def hits(faces: Array, emotions: Sequence[str]) -> tuple[float, float]:
    """How often the nearest emotion is the expected one, and how often it is another word's, by chance."""
    read = emotions_of(faces)
    share = {emotion: emotions.count(emotion) / len(emotions) for emotion in set(emotions)}
    found = np.mean([one == other for one, other in zip(read, emotions, strict=True)])
    return float(found), float(np.mean([share.get(one, 0.0) for one in read]))


def sheet(words: Sequence[Word], made: Array | None = None, cell: int = CELL) -> Image.Image:
    """One person making every word's face, and beside it, if given, the `made` one."""
    actor = Renderer(person(ACTOR), cell)
    rows = [meanings(words)] if made is None else [meanings(words), made]
    wide = len(rows) * cell + GAP
    size = (COLUMNS * wide + GAP, -(-len(words) // COLUMNS) * (cell + LABEL + GAP) + GAP)
    picture = Image.new("RGB", size, PAPER)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(10)
    for index, word in enumerate(words):
        left = GAP + (index % COLUMNS) * wide
        top = GAP + (index // COLUMNS) * (cell + LABEL + GAP)
        for column, faces in enumerate(rows):
            image = actor.render(faces[index].astype(np.float32)).image
            picture.paste(Image.fromarray(image), (left + column * cell, top))
        text = "\n".join(_wrapped(word.text, pen, font, len(rows) * cell))
        pen.multiline_text((left + 1, top + cell + 1), text, INK, font, spacing=1)
    return picture


def _wrapped(
    text: str, pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> list[str]:
    """Lines no wider than `width` pixels."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if pen.textlength(longer, font) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def described(parameters: Mapping[str, float], count: int = 4) -> str:
    """The strongest movements in words: "brow_lower 1.0, smile 0.9 (left)"."""
    strongest: dict[str, str] = {}
    for name, value in sorted(parameters.items(), key=lambda item: -abs(item[1])):
        plain, side = (name[:-2], name[-1]) if name.endswith(("_l", "_r")) else (name, "")
        other = parameters.get(f"{plain}_{'r' if side == 'l' else 'l'}", 0.0) if side else value
        where = "" if abs(other - value) < 0.05 else f" ({'left' if side == 'l' else 'right'})"
        if abs(value) >= 0.05:
            strongest.setdefault(plain, f"{plain.replace('_', ' ')} {value:.1f}{where}")
    return ", ".join(list(strongest.values())[:count]) or "nothing"


def mixed(word: Word) -> str:
    """ "sad 0.6, angry 0.5"."""
    return ", ".join(
        f"{name} {share:g}" if len(word.mixture) > 1 else name for name, share in word.mixture.items()
    )


def page(
    words: Sequence[Word],
    made: Array | None = None,
    measured: Sequence[tuple[Score, Score]] = (),
    usual: Sequence[str] = (),
) -> str:
    """The Markdown page beside the sheet; ``measured``: by letters, and with the thesaurus."""
    lines = [
        "# A hundred unseen words",
        "",
        "Words and set phrases of the lexicon that no clip's caption and no training sentence of the text "
        "encoder uses (`lexicon.unseen`). The faces are those that the lexicon gives them: the project's own "
        "reading of the words. Repeat with `python -m experiments words`; with "
        "`--checkpoint mini` the faces that its text encoder makes of them stand beside.",
        "",
        "![The words and their faces](words.png)",
        "",
    ]
    if measured:
        lines += [
            "The encoder's faces (right of each pair) are read by a linear map fitted on training sentences. "
            "r: over words and facial parameters, each centred. Emotion: how often the nearest of the eight "
            "is the target one. In brackets: the same against other words' faces.",
            "",
            "| words | number | r, by letters | r, with the thesaurus | emotion, by letters | with it |",
            "|---|---:|---:|---:|---:|---:|",
            *(
                f"| {s.name} | {s.count} | {b.r:.2f} ({b.r_shuffled:.2f})"
                f" | **{s.r:.2f}** ({s.r_shuffled:.2f})"
                f" | {b.emotion:.0%} ({b.emotion_shuffled:.0%})"
                f" | **{s.emotion:.0%}** ({s.emotion_shuffled:.0%}) |"
                for b, s in measured
            ),
            *usual,
            "",
            THESAURUS,
            "",
        ]
    head = "| word | mixture | intensity | strongest movements |"
    lines += [
        head + (" read as | made of it |" if made is not None else ""),
        "|---|---|---:|---|" + ("---|---|" if made is not None else ""),
    ]
    for index, word in enumerate(words):
        row = f"| {word.text} | {mixed(word)} | {word.intensity:g} | {described(word.parameters)} |"
        if made is not None:
            row += f" {read_as(word.text)} |"
            row += f" {described(dict(zip(PARAMETERS, made[index], strict=True)))} |"
        lines.append(row)
    return "\n".join(lines) + "\n"


def read_as(text: str) -> str:
    """What the thesaurus reads in a text, the known words parted by slashes; a dash where it knows none."""
    _, notes = bundled_thesaurus().read(split_words(text))
    return "; ".join(" / ".join(known) for known in notes.values()) or "–"


def everyday_row(before: tuple[float, float], after: tuple[float, float]) -> str:
    """A row of the table for hits by letters and with the thesaurus."""
    (b, b_chance), (a, a_chance) = before, after
    return (
        f"| everyday words, not in the lexicon | {len(everyday())} | | | {b:.0%} ({b_chance:.0%}) "
        f"| **{a:.0%}** ({a_chance:.0%}) |"
    )


def write(folder: Path, encoder: MiniTextEncoder | None = None) -> None:
    """`words.md` and `words.png` in `folder`."""
    words = sorted(lexicon.unseen(), key=lambda word: list(EMOTIONS).index(word.emotion))
    made, measured, rows = None, [], []
    if encoder:
        probe = LinearProbe.fit(encoder)
        made = probe([word.text for word in words])
        usual, expected = list(everyday()), list(everyday().values())
        after, hit = scores(probe), hits(probe(usual), expected)
        with by_letters(encoder):
            before, missed = scores(probe), hits(probe(usual), expected)
        measured, rows = list(zip(before, after, strict=True)), [everyday_row(missed, hit)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "words.md").write_text(page(words, made, measured, rows), encoding="utf-8")
    picture = sheet(words, made)
    # A palette keeps the page light.
    palette = picture.quantize(256, kmeans=2)
    picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(
        folder / "words.png", optimize=True
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments words",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR")
    parser.add_argument("--checkpoint", help="a file, or mini for the bundled one")
    options = parser.parse_args(argv)
    encoder = None
    if options.checkpoint:
        encoder = load_model(options.checkpoint).text_encoder.eval()
    write(options.out, encoder)
