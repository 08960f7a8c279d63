"""What saved workflows rely on: node ids, inputs in their order, sockets, ranges, defaults.

A change here breaks somebody's graph. If it is meant: `python tests/test_api_surface.py --write`, and say so
in the commit. New inputs go to the end, since workflows store widget values by position.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `python tests/test_api_surface.py`

from tests.in_comfy import MISSING, has_comfy, run_in_comfy  # noqa: E402

RECORD = Path(__file__).with_name("api_surface.json")

DUMP = """
import asyncio, json
import torch

async def nodes():
    return await (await load_pack().comfy_entrypoint()).get_node_list()

WIDGET = ("default", "min", "max", "step", "multiline", "options", "control_after_generate", "forceInput")

def described(name, kind, settings=None):
    return {"name": name, "type": kind, **{key: settings[key] for key in WIDGET if key in (settings or {})}}

surface = {}
for node in asyncio.run(nodes()):
    info = node.GET_NODE_INFO_V1()
    surface[info["name"]] = {
        group: [described(name, *spec) for name, spec in info["input"].get(group, {}).items()]
        for group in ("required", "optional")
    } | {
        "outputs": [{"name": n, "type": t} for n, t in zip(info["output_name"], info["output"])],
        "output_node": bool(info["output_node"]),
    }
print("SURFACE" + json.dumps(surface))
"""


def current_surface() -> dict:
    """The surface of the pack as it is now, in an installation without any model."""
    with tempfile.TemporaryDirectory() as base:
        return json.loads(run_in_comfy(DUMP, Path(base)).rpartition("SURFACE")[2])


@pytest.mark.slow
@pytest.mark.comfy
@pytest.mark.skipif(not has_comfy(), reason=MISSING)
def test_nodes_look_to_workflows_as_they_always_did() -> None:
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))
    current = current_surface()
    assert list(current) == list(recorded)
    for node, surface in recorded.items():
        assert current[node] == surface, node


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python tests/test_api_surface.py --write")
    RECORD.write_text(json.dumps(current_surface(), indent=1) + "\n", encoding="utf-8")
    print(f"wrote {RECORD}")
