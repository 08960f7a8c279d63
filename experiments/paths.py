"""Where experiments find the bundled files and write their results."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "eadnet" / "assets"
RESULTS = ROOT / "docs" / "results"
