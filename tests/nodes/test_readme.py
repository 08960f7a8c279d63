"""The README against the nodes and workflows it describes."""

from __future__ import annotations

import re
from typing import Any

from tests.in_comfy import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def first_cells(heading: str) -> list[str]:
    """The first column of the table under a heading."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+?) \|", section, flags=re.MULTILINE)
    return [row for row in rows[1:] if not row.startswith("-")]


def test_the_table_of_nodes_has_every_node_under_its_title(nodes: Any) -> None:
    titles = [node.GET_SCHEMA().display_name for node in vars(nodes).values()]
    assert sorted(first_cells("Nodes")) == sorted(titles)


def test_the_table_of_workflows_has_every_workflow() -> None:
    named = [cell.strip("`") for cell in first_cells("First workflow")]
    graphs = {path.stem.removesuffix(" (app)") for path in (ROOT / "workflows").glob("*.json")}
    assert named == sorted(graphs)


def test_the_readme_installs_from_where_the_package_says_it_lives() -> None:
    package = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    repository = re.search(r'^Repository = "(.+)"$', package, flags=re.MULTILINE)
    assert repository and f"git clone --depth 1 {repository[1]}\n" in README
    name = re.search(r'^name = "(.+)"$', package, flags=re.MULTILINE)
    assert name and f"comfy node install {name[1]}`" in README


def test_every_file_the_readme_links_to_exists() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links and not [link for link in links if not (ROOT / link).exists()]
