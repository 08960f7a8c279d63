"""Changing a workflow's inputs without touching the file or the original."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.errors import SetupError
from tools.workflow import load_workflow, with_inputs

WORKFLOW = {"1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}}}


def test_values_are_replaced_by_node_class_in_a_copy() -> None:
    changed = with_inputs(WORKFLOW, {"LoadImage": {"image": "b.png"}})
    assert changed["1"]["inputs"] == {"image": "b.png"}
    assert WORKFLOW["1"]["inputs"] == {"image": "a.png"}


def test_an_unknown_node_or_input_is_named() -> None:
    with pytest.raises(SetupError, match="no LoadAudio node"):
        with_inputs(WORKFLOW, {"LoadAudio": {"audio": "b.wav"}})
    with pytest.raises(SetupError, match="LoadImage node has no input picture"):
        with_inputs(WORKFLOW, {"LoadImage": {"picture": "b.png"}})


def test_a_graph_saved_by_the_browser_is_not_taken_for_api_format(tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    path.write_text(json.dumps({"nodes": [], "links": [], "version": 0.4}))
    with pytest.raises(SetupError, match="API format"):
        load_workflow(path)
