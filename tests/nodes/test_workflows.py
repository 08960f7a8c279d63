"""The example workflows against the nodes: the browser's format holds widget values by position."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.in_comfy import ROOT

WORKFLOWS = [
    "talking_portrait",
    "score_and_fix_sync",
    "caption_an_emotion",
    "emotion_timeline",
    "revoice_video",
    "render_long_video",
    "lipsync_with_latentsync",
    "photo_with_emotion",
    "re_emote_a_video",
    "performance_moves_a_portrait",
    "photo_rig_with_latentsync_lips",
]
every_workflow = pytest.mark.parametrize("name", WORKFLOWS)


def load(name: str) -> Any:
    return json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))


def ours(inputs: dict[str, Any]) -> dict[str, tuple[Any, dict[str, Any]]]:
    return {**inputs.get("required", {}), **inputs.get("optional", {})}


def is_widget(kind: Any, settings: dict[str, Any]) -> bool:
    return kind in ("INT", "FLOAT", "STRING", "COMBO", "BOOLEAN") and not settings.get("forceInput")


def widget_values(node: Any, values: list[Any]) -> dict[str, Any]:
    """Widget values by name, as the frontend reads them: a seed is followed by what happens to it.

    A file may be older than an optional widget at the end, which then has its default.
    """
    left, named = list(values), {}
    for name, (kind, settings, *_) in ours(node.INPUT_TYPES()).items():
        if is_widget(kind, settings):
            if not left and name in node.INPUT_TYPES().get("optional", {}):
                break
            named[name] = left.pop(0)
            if settings.get("control_after_generate"):
                assert left.pop(0) in ("fixed", "increment", "decrement", "randomize")
    assert not left, "more values than widgets"
    return named


@every_workflow
def test_both_forms_are_the_same_graph(name: str) -> None:
    ui, api = load(name), load(f"{name}_api")
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
    assert all(api[str(number)]["_meta"]["title"] == node["title"] for number, node in graph.items())


@every_workflow
def test_links_are_consistent(name: str) -> None:
    ui = load(name)
    graph = {node["id"]: node for node in ui["nodes"]}
    for number, source, start, target, slot, kind in ui["links"]:
        assert number in graph[source]["outputs"][start]["links"]
        assert graph[target]["inputs"][slot]["link"] == number
        assert graph[source]["outputs"][start]["type"] == kind
        assert graph[target]["inputs"][slot]["type"] in (kind, "*")  # core's Preview as Text takes anything


@every_workflow
def test_values_fit_our_nodes(name: str, nodes: Any) -> None:
    api = load(f"{name}_api")
    for node in load(name)["nodes"]:
        if not node["type"].startswith("EADNet"):
            continue
        kind, given = getattr(nodes, node["type"]), api[str(node["id"])]["inputs"]
        values = widget_values(kind, node["widgets_values"])
        # A widget that a wire feeds keeps its value in the browser's format only.
        values = {key: value for key, value in values.items() if not isinstance(given.get(key), list)}
        assert values == {key: value for key, value in given.items() if not isinstance(value, list)}
        for key, (_, settings, *_) in ours(kind.INPUT_TYPES()).items():
            if key in values:
                assert settings.get("min", values[key]) <= values[key] <= settings.get("max", values[key])
            elif key in kind.INPUT_TYPES()["required"]:
                assert key in given, f"{node['type']}.{key} is not connected"
        outputs = node["outputs"]  # perhaps from before an output was added at the end
        assert outputs and [output["name"] for output in outputs] == kind.RETURN_NAMES[: len(outputs)]
        assert [output["type"] for output in outputs] == kind.RETURN_TYPES[: len(outputs)]


@every_workflow
def test_it_explains_itself(name: str) -> None:
    ui = load(name)
    notes = [node for node in ui["nodes"] if "Note" in node["type"]]
    assert notes and all(len(note["widgets_values"][0]) > 200 for note in notes)
    assert ui["groups"] and all(node.get("title") for node in ui["nodes"])


@every_workflow
def test_our_nodes_have_the_titles_that_the_search_finds(name: str, nodes: Any) -> None:
    for node in load(name)["nodes"]:
        if node["type"].startswith("EADNet"):
            assert node["title"] == getattr(nodes, node["type"]).GET_SCHEMA().display_name


@every_workflow
def test_nothing_lies_on_anything_and_every_node_is_in_a_group(name: str) -> None:
    ui = load(name)
    title = 30  # the bar above a node
    boxes = [(n["pos"][0], n["pos"][1] - title, *n["size"]) for n in ui["nodes"]]
    boxes = [(x, y, x + width, y + title + height) for x, y, width, height in boxes]
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    groups = [(x, y, x + width, y + height) for x, y, width, height in (g["bounding"] for g in ui["groups"])]
    for node, box in zip(ui["nodes"], boxes, strict=True):
        inside = [
            g for g in groups if g[0] <= box[0] and g[1] <= box[1] and g[2] >= box[2] and g[3] >= box[3]
        ]
        assert len(inside) == (0 if "Note" in node["type"] else 1), node["title"]
