"""The line that shows how far a graph is."""

from __future__ import annotations

from tools.display import RunDisplay

TITLES = {"1": "Portrait", "7": "Generate", "9": "Video"}
NODES = [{"node_id": node, "title": title} for node, title in TITLES.items()]


def test_the_line_counts_nodes_and_steps_and_names_the_node() -> None:
    lines: list[str] = []
    display = RunDisplay(lines.append)
    display({"type": "queued", "nodes": NODES})
    display({"type": "execution_cached", "node": "1"})
    display({"type": "executing", "node": "7"})
    display({"type": "progress", "node": "7", "completed": 5, "total": 20})
    display({"type": "executing", "node": "9"})
    display({"type": "envelope", "ok": True})
    assert lines == ["2/3 Generate", "2/3 Generate [#####---------------] 5/20", "3/3 Video"]
