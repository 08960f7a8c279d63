"""What every node owes the person who reads it."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from tests.in_comfy import ROOT

NAMES = [
    "EADNetCheckpointLoader",
    "EADNetLatentSyncLoader",
    "EADNetAudioEncode",
    "EADNetEmotionEncode",
    "EADNetPrepare",
    "EADNetSampler",
    "EADNetTFRMSmoother",
    "EADNetSyncScore",
    "EADNetVideoMetrics",
    "EADNetEmotionCaption",
    "EADNetEmotionTimeline",
    "EADNetFaceTrack",
    "EADNetFaceComposite",
    "EADNetFaceTrackPreview",
    "EADNetRenderVideo",
    "EADNetFaceRig",
    "EADNetExpressionFromSpeech",
    "EADNetExpressionFromVideo",
    "EADNetEditExpression",
    "EADNetRenderRig",
    "EADNetReEmote",
    "EADNetToModel",
    "EADNetConditioning",
    "EADNetCustomSampling",
    "EADNetSpeedUp",
]


@pytest.fixture
def schema(nodes: Any, request: pytest.FixtureRequest) -> Any:
    return getattr(nodes, request.param).GET_SCHEMA()


every_node = pytest.mark.parametrize("schema", NAMES, indirect=True)


def test_these_are_all_the_nodes(nodes: Any) -> None:
    assert list(vars(nodes)) == NAMES


@every_node
def test_ids_and_category_are_ours(schema: Any) -> None:
    assert schema.node_id in NAMES and re.fullmatch(r"EAD-Net/\d [A-Z][a-z ]+", schema.category)
    assert schema.display_name.startswith("EAD-Net ") and schema.description


@pytest.mark.parametrize(
    "words", ["lip sync", "talking head", "portrait", "speech", "avatar", "emotion", "face", "video"]
)
def test_the_oldest_search_which_knows_titles_alone_finds_it(nodes: Any, words: str) -> None:
    titles = [node.GET_SCHEMA().display_name.lower() for node in vars(nodes).values()]
    assert [title for title in titles if words in title]


def test_a_search_that_forgives_one_letter_finds_lipsync(nodes: Any) -> None:
    """The old frontend's: the farther to the right, the fewer errors it allows."""
    titles = [node.GET_SCHEMA().display_name.lower() for node in vars(nodes).values()]
    assert any(0 <= title.find("lip sync") <= 15 for title in titles)
    aliases = [node.GET_SCHEMA() for node in vars(nodes).values()]
    assert not hasattr(aliases[0], "search_aliases") or any("lipsync" in a.search_aliases for a in aliases)


@every_node
def test_everything_has_a_tooltip(schema: Any) -> None:
    for part in [*schema.inputs, *schema.outputs]:
        assert part.tooltip and part.tooltip.rstrip().endswith((".", ")")), part


@every_node
def test_outputs_are_named(schema: Any) -> None:
    names = [output.display_name for output in schema.outputs]
    assert all(names) and len(set(names)) == len(names)


@every_node
def test_the_help_page_describes_every_input_and_output(schema: Any) -> None:
    page = (ROOT / "web" / "docs" / schema.node_id / "en.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {schema.display_name}\n")
    rows = set(re.findall(r"^- \*\*(\w+)\*\*:", page, re.MULTILINE))
    assert rows == {part.id for part in schema.inputs} | {output.display_name for output in schema.outputs}
    for part in ("## Inputs", "## Outputs", "## Example", "## Tips"):
        assert part in page


@every_node
def test_the_help_page_names_what_is_shown_instead_of_an_id(schema: Any) -> None:
    page = (ROOT / "web" / "docs" / schema.node_id / "en.md").read_text(encoding="utf-8")
    for part in schema.inputs:
        if part.display_name:
            assert re.search(rf"^- \*\*{part.id}\*\*:.*\b{part.display_name}\b", page, re.MULTILINE), part.id


def test_settings_a_newer_comfyui_knows_are_left_out(types: Any, monkeypatch: Any) -> None:
    """Node definitions may use what only newer versions know, such as search_aliases."""
    monkeypatch.setattr(types, "_SCHEMA_FIELDS", {"node_id", "category"})
    monkeypatch.setattr(types.io, "Schema", SimpleNamespace)
    assert vars(types.schema(node_id="A", search_aliases=["b"])) == {"node_id": "A", "category": "EAD-Net"}
