"""Writes every template and blueprint anew; with `--check`, says which are not as they would be written."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .blueprints import BLUEPRINTS, blueprint
from .graph import graph, titled
from .kinds import ROOT
from .pages import PAGES


def written() -> Iterator[tuple[Path, str]]:
    """Every file and what it should hold."""
    apis = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in _apis()}
    for name, api in apis.items():
        yield ROOT / "workflows" / "api" / f"{name}.json", _text(titled(api))
    for page in PAGES:
        yield ROOT / "workflows" / f"{page.name}.json", _text(graph(apis[page.workflow], page))
    for plan in BLUEPRINTS:
        yield ROOT / "subgraphs" / f"{plan.name}.json", _text(blueprint(apis[plan.workflow], plan))


def _apis() -> list[Path]:
    return sorted((ROOT / "workflows" / "api").glob("*.json"))


def _text(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """0 when all is (now) as it should be."""
    stale = [
        (path, text)
        for path, text in written()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in stale:
        print(path.relative_to(ROOT))
        if "--check" not in sys.argv:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
