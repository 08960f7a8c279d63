"""Every example workflow that was ever published still loads: people keep the files they once downloaded.

They are read from git, so nothing is committed twice, and checked against what `api_surface.json` says of the
nodes, which another test holds against the nodes themselves.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.in_comfy import ROOT

SURFACE = json.loads((ROOT / "tests" / "api_surface.json").read_text(encoding="utf-8"))
# Their choices are the files of an installation.
OF_FILES = {("EADNetLatentSyncLoader", "unet"), ("EADNetLatentSyncLoader", "whisper")} | {
    ("EADNetLatentSyncLoader", "adapter"),
    ("EADNetEmotionCaption", "model"),
}
WIDGETS: dict[str, type | tuple[type, ...]] = {
    "INT": int,
    "FLOAT": (int, float),
    "STRING": str,
    "BOOLEAN": bool,
    "COMBO": str,
}
HISTORY = (
    "-c",
    "core.quotePath=false",
    "log",
    "--format=",
    "--raw",
    "--no-abbrev",
    "--no-renames",
    "--",
    "workflows",
)
AFTER_GENERATE = {"fixed", "increment", "decrement", "randomize"}


def git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True).stdout


def published() -> list[tuple[str, str]]:
    """(name, blob) of every version of every workflow, the newest of each name first."""
    found: dict[tuple[str, str], None] = {}
    for line in git(*HISTORY).splitlines():
        fields, path = line.split("\t")[0].split(), line.split("\t")[-1]
        if path.endswith(".json") and set(fields[3]) != {"0"}:
            found[path.removeprefix("workflows/"), fields[3]] = None
    return list(found)


def is_api(name: str) -> bool:
    """Whether a workflow is in API format, now and in earlier times."""
    return name.startswith("api/") or "_api.json" in name


@pytest.fixture(scope="module")
def workflows() -> list[tuple[str, Any]]:
    """(name and short blob, content) of all of them."""
    try:
        if git("rev-parse", "--is-shallow-repository").strip() == "true":
            pytest.skip("a shallow clone has no history: git fetch --unshallow")
        versions = published()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a clone: the history of the workflows is in git")
    return [(f"{name} {blob[:8]}", json.loads(git("cat-file", "blob", blob))) for name, blob in versions]


def described(node: str) -> dict[str, dict[str, Any]]:
    """Inputs of a node by name, in the order of the widgets' values."""
    return {spec["name"]: spec for group in ("required", "optional") for spec in SURFACE[node][group]}


def problems_of_value(node: str, spec: dict[str, Any], value: Any) -> Iterator[str]:
    where = f"{node}.{spec['name']} = {value!r}"
    kind = WIDGETS.get(spec["type"])
    if kind is None:
        yield f"{where}: no widget"
    elif not isinstance(value, kind) or (isinstance(value, bool) and spec["type"] != "BOOLEAN"):
        yield f"{where}: not {spec['type']}"
    elif spec["type"] == "COMBO" and (node, spec["name"]) not in OF_FILES and value not in spec["options"]:
        yield f"{where}: not one of {spec['options']}"
    elif spec["type"] in ("INT", "FLOAT") and not spec["min"] <= value <= spec["max"]:
        yield f"{where}: not in {spec['min']} to {spec['max']}"


def fits(given: str, wanted: str) -> bool:
    return bool(set(given.split(",")) & set(wanted.split(",")))


def problems_of_api(graph: dict[str, Any]) -> Iterator[str]:
    for node in graph.values():
        kind = node["class_type"]
        if not kind.startswith("EADNet"):
            continue
        if kind not in SURFACE:
            yield f"{kind}: no such node"
            continue
        inputs = described(kind)
        for name, value in node["inputs"].items():
            if name not in inputs:
                yield f"{kind}.{name}: no such input"
            elif not isinstance(value, list):
                yield from problems_of_value(kind, inputs[name], value)
            elif (source := graph[value[0]]["class_type"]) in SURFACE:
                outputs = SURFACE[source]["outputs"]
                if not fits(outputs[value[1]]["type"], inputs[name]["type"]):
                    yield f"{source} -> {kind}.{name}: another type"
        for spec in SURFACE[kind]["required"]:
            if spec["name"] not in node["inputs"]:
                yield f"{kind}.{spec['name']}: missing"


def problems_of_ui(graph: dict[str, Any]) -> Iterator[str]:
    nodes = {node["id"]: node for node in graph["nodes"]}
    for node in nodes.values():
        kind = node["type"]
        if not kind.startswith("EADNet"):
            continue
        if kind not in SURFACE:
            yield f"{kind}: no such node"
            continue
        values = list(node.get("widgets_values") or [])
        optional = {spec["name"] for spec in SURFACE[kind]["optional"]}
        for spec in described(kind).values():
            if spec["type"] not in WIDGETS or spec.get("forceInput"):
                continue
            if values:
                yield from problems_of_value(kind, spec, values.pop(0))
                if spec.get("control_after_generate") and (not values or values.pop(0) not in AFTER_GENERATE):
                    yield f"{kind}.{spec['name']}: nothing about the next seed"
            elif spec["name"] not in optional:
                yield f"{kind}.{spec['name']}: no value"
        if values:
            yield f"{kind}: {len(values)} values too many"
    for _, source, start, target, slot, _ in graph["links"]:
        given, taken = nodes[source], nodes[target]
        name = taken["inputs"][slot]["name"]
        if taken["type"] in SURFACE and name not in described(taken["type"]):
            yield f"{taken['type']}.{name}: no such input"
        elif taken["type"] in SURFACE and given["type"] in SURFACE:
            output = SURFACE[given["type"]]["outputs"][start]
            if not fits(output["type"], described(taken["type"])[name]["type"]):
                yield f"{given['type']} -> {taken['type']}.{name}: another type"


def test_every_workflow_that_was_ever_published_loads(workflows: list[tuple[str, Any]]) -> None:
    found = [
        f"{name}: {problem}"
        for name, graph in workflows
        for problem in (problems_of_api if is_api(name) else problems_of_ui)(graph)
    ]
    assert workflows and not found, "\n".join(found)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda node: node["inputs"].update(steps=500), "steps = 500: not in"),
        (lambda node: node["inputs"].update(scheduler="heun"), "'heun': not one of"),
        (lambda node: node["inputs"].update(cfg=1.0), "cfg: no such input"),
        (lambda node: node["inputs"].pop("audio"), "audio: missing"),
        (lambda node: node.update(class_type="EADNetOld"), "EADNetOld: no such node"),
    ],
)
def test_a_workflow_that_no_longer_loads_is_noticed(change: Any, problem: str) -> None:
    text = (ROOT / "workflows" / "api" / "talking_portrait_in_parts.json").read_text(encoding="utf-8")
    graph = json.loads(text)
    assert not list(problems_of_api(graph))
    change(next(node for node in graph.values() if node["class_type"] == "EADNetSampler"))
    assert any(problem in line for line in problems_of_api(graph))


def test_widget_values_that_moved_are_noticed() -> None:
    graph = json.loads((ROOT / "workflows" / "10 The parts one by one.json").read_text(encoding="utf-8"))
    assert not list(problems_of_ui(graph))
    sampler = next(node for node in graph["nodes"] if node["type"] == "EADNetSampler")
    sampler["widgets_values"].insert(0, "new")
    assert list(problems_of_ui(graph))
