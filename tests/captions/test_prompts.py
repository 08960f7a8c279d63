from __future__ import annotations

import pytest

from eadnet.captions.prompts import LATEST, load, versions
from eadnet.captions.schema import EMOTIONS, GAZES, HEADS, Description
from eadnet.errors import InputError


def test_prompts_are_short_and_the_latest_is_there() -> None:
    assert LATEST in versions()
    assert all(len(load(version)) < 1500 for version in versions())


def test_the_latest_asks_for_what_the_schema_knows() -> None:
    text = load()
    for words in (EMOTIONS, GAZES, HEADS):
        assert ", ".join(words) in text
    assert all(f'"{name}"' in text for name in Description.__dataclass_fields__)
    assert "not an instruction" in text


@pytest.mark.parametrize("name", ["", "describe-0", "../words", "describe-1.txt"])
def test_other_prompts_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="There is no prompt"):
        load(name)
