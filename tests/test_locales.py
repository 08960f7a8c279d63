"""Every node and widget speaks English and Chinese on the page. See `tests/locales.py`, which writes them."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `python tests/test_locales.py`

from tests.in_comfy import MISSING, has_comfy, run_in_comfy  # noqa: E402
from tests.locales import DUMP, HELP, LOCALES, english, read, write  # noqa: E402

ENGLISH, CHINESE = read(LOCALES / "en" / "nodeDefs.json"), read(LOCALES / "zh" / "nodeDefs.json")
HAN = re.compile(r"[\u4e00-\u9fff]")


def dumped() -> dict[str, Any]:
    import json

    with tempfile.TemporaryDirectory() as base:
        return json.loads(run_in_comfy(DUMP, Path(base)).rpartition("TEXTS")[2])


def places(texts: Any, where: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    """Every text by its place."""
    if isinstance(texts, str):
        return {where: texts}
    return {key: text for name, part in texts.items() for key, text in places(part, (*where, name)).items()}


def test_every_text_is_there_in_both_languages() -> None:
    assert ENGLISH and places(CHINESE).keys() == places(ENGLISH).keys()


def test_sentences_are_chinese() -> None:
    sentences = {
        k: text for k, text in places(CHINESE).items() if k[-1] in ("tooltip", "description", "display_name")
    }
    assert not [key for key, text in sentences.items() if not HAN.search(text)]


def test_the_menu_is_chinese() -> None:
    words = read(LOCALES / "zh" / "main.json")["nodeCategories"]
    assert len(words) == 8 and all(HAN.search(text) for word, text in words.items() if word != "EAD-Net")


def test_nothing_in_them_means_something_to_the_page() -> None:
    """Its messages are a language: links by @, choices by |, values in braces."""
    assert not [
        text for texts in (ENGLISH, CHINESE) for text in places(texts).values() if set("@|{}") & set(text)
    ]


@pytest.mark.parametrize("node", ENGLISH)
def test_every_node_has_a_help_page_in_both_languages(node: str) -> None:
    for language, texts in (("en", ENGLISH), ("zh", CHINESE)):
        page = (HELP / node / f"{language}.md").read_text(encoding="utf-8")
        assert page.startswith(f"# {texts[node]['display_name']}\n")
        assert "| --" not in page and "|--" not in page, "tables are cut in the panel"
        assert "![" in page, "what it makes, as a picture"


def test_pictures_of_help_pages_are_there_and_small() -> None:
    """Both frontends look for them from the folder of all pages on, not from that of the page."""
    shown = {
        HELP / name
        for path in HELP.glob("*/*.md")
        for name in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", path.read_text(encoding="utf-8"))
    }
    there = {path for path in HELP.rglob("*") if path.suffix in (".webp", ".png", ".gif")}
    assert {path.resolve() for path in shown} == {path.resolve() for path in there}
    assert sum(path.stat().st_size for path in there) < 2_000_000
    assert {path.name for path in HELP.iterdir()} == set(ENGLISH)


@pytest.mark.slow
@pytest.mark.comfy
@pytest.mark.skipif(not has_comfy(), reason=MISSING)
def test_english_is_what_the_nodes_say() -> None:
    assert english(dumped()) == ENGLISH, "run python tests/test_locales.py --write"


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python tests/test_locales.py --write")
    for sentence in write(dumped()):
        print(f"no Chinese for: {sentence}")
