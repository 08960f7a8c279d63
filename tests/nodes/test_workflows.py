"""The templates against the nodes: the browser's format holds widget values by position."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.in_comfy import ROOT
from tools.templates.pages import PAGES

WORKFLOW_OF = {page.name: page.workflow for page in PAGES}
every_template = pytest.mark.parametrize("name", WORKFLOW_OF)


def load(name: str) -> Any:
    return json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))


def load_api(name: str) -> Any:
    return load(f"api/{WORKFLOW_OF[name]}")


def ours(inputs: dict[str, Any]) -> dict[str, tuple[Any, dict[str, Any]]]:
    return {**inputs.get("required", {}), **inputs.get("optional", {})}


def is_widget(kind: Any, settings: dict[str, Any]) -> bool:
    return kind in ("INT", "FLOAT", "STRING", "COMBO", "BOOLEAN") and not settings.get("forceInput")


def widget_values(node: Any, values: list[Any]) -> dict[str, Any]:
    """Widget values by name, as the frontend reads them: a seed is followed by what happens to it."""
    left, named = list(values), {}
    for name, (kind, settings, *_) in ours(node.INPUT_TYPES()).items():
        if is_widget(kind, settings):
            named[name] = left.pop(0)
            if settings.get("control_after_generate"):
                assert left.pop(0) in ("fixed", "increment", "decrement", "randomize")
    assert not left, "more values than widgets"
    return named


def test_every_template_has_a_page_and_every_api_workflow_a_template() -> None:
    assert set(WORKFLOW_OF) == {path.stem for path in (ROOT / "workflows").glob("*.json")}
    assert set(WORKFLOW_OF.values()) == {path.stem for path in (ROOT / "workflows" / "api").glob("*.json")}


@every_template
def test_both_forms_are_the_same_graph(name: str) -> None:
    ui, api = load(name), load_api(name)
    graph = {node["id"]: node for node in ui["nodes"] if "Note" not in node["type"]}
    assert {str(number): node["type"] for number, node in graph.items()} == {
        k: v["class_type"] for k, v in api.items()
    }
    wires = {
        (str(target), graph[target]["inputs"][slot]["name"], str(source), start)
        for _, source, start, target, slot, _ in ui["links"]
    }
    assert wires == {
        (number, key, *value)
        for number, node in api.items()
        for key, value in node["inputs"].items()
        if isinstance(value, list)
    }


@every_template
def test_links_are_consistent(name: str) -> None:
    ui = load(name)
    graph = {node["id"]: node for node in ui["nodes"]}
    for number, source, start, target, slot, kind in ui["links"]:
        assert number in graph[source]["outputs"][start]["links"]
        assert graph[target]["inputs"][slot]["link"] == number
        assert graph[source]["outputs"][start]["type"] == kind
        assert graph[target]["inputs"][slot]["type"] in (kind, "*")  # core's Preview as Text takes anything


@every_template
def test_values_fit_our_nodes(name: str, nodes: Any) -> None:
    api = load_api(name)
    for node in load(name)["nodes"]:
        if not node["type"].startswith("EADNet"):
            continue
        kind, given = getattr(nodes, node["type"]), api[str(node["id"])]["inputs"]
        values = widget_values(kind, node["widgets_values"])
        for key, value in given.items():  # one that a wire feeds keeps some value in the browser's format
            assert isinstance(value, list) or values[key] == value
        for key, (_, settings, *_) in ours(kind.INPUT_TYPES()).items():
            if key in values:
                assert settings.get("min", values[key]) <= values[key] <= settings.get("max", values[key])
            elif key in kind.INPUT_TYPES()["required"]:
                assert key in given, f"{node['type']}.{key} is not connected"
        outputs = node["outputs"]
        assert [output["name"] for output in outputs] == kind.RETURN_NAMES
        assert [output["type"] for output in outputs] == kind.RETURN_TYPES


@every_template
def test_our_nodes_keep_the_names_that_the_search_finds(name: str, nodes: Any) -> None:
    """In the browser those of their classes, in the page's language; in API format they are written out."""
    for node in load(name)["nodes"]:
        if node["type"].startswith("EADNet"):
            assert "title" not in node
    for node in load_api(name).values():
        if node["class_type"].startswith("EADNet"):
            schema = getattr(nodes, node["class_type"]).GET_SCHEMA()
            assert node["_meta"]["title"] == schema.display_name


@every_template
def test_files_are_the_examples_that_come_with_the_pack(name: str, submodule: Any) -> None:
    examples = set(submodule("nodes.host.examples").EXAMPLES)
    for node in load_api(name).values():
        for kind, widget in (("LoadImage", "image"), ("LoadAudio", "audio"), ("LoadVideo", "file")):
            assert node["class_type"] != kind or node["inputs"][widget] in examples
