"""Workflows in ComfyUI's API format: `{node id: {"class_type", "inputs"}}`."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import SetupError


def load_workflow(path: Path) -> dict:
    """Reads a workflow in API format."""
    workflow = json.loads(path.read_text(encoding="utf-8"))
    if not all(isinstance(node, dict) and "class_type" in node for node in workflow.values()):
        raise SetupError(f"{path} is not a workflow in API format.")
    return workflow


def without(workflow: dict, kind: str) -> dict:
    """A copy of a workflow that lacks the nodes of a class, which nothing else takes from."""
    return {number: node for number, node in workflow.items() if node["class_type"] != kind}


def with_inputs(workflow: dict, inputs: Mapping[str, Mapping[str, Any]]) -> dict:
    """A copy of a workflow with other widget values.

    Args:
        inputs: by node class, the values of its inputs. Every node of the class gets them.

    Raises:
        SetupError: the workflow has no node of a class, or that node no such input.
    """
    changed = copy.deepcopy(workflow)
    for kind, values in inputs.items():
        nodes = [node for node in changed.values() if node["class_type"] == kind]
        if not nodes:
            raise SetupError(f"The workflow has no {kind} node.")
        for node in nodes:
            unknown = set(values) - set(node["inputs"])
            if unknown:
                raise SetupError(f"The workflow's {kind} node has no input {', '.join(sorted(unknown))}.")
            node["inputs"].update(values)
    return changed
