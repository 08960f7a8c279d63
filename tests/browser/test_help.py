"""Help pages in a real browser: opened from the node, with their picture, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.window import SECONDS, Window
from tests.in_comfy import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.comfy, pytest.mark.slow]
NODE = "EADNetRenderRig"
SELECT = f"""() => {{
  app.graph.clear();
  const node = LiteGraph.createNode("{NODE}");
  node.pos = [300, 200];
  app.graph.add(node);
  (app.canvas.selectNode ?? app.canvas.select).call(app.canvas, node);
  app.canvas.setDirty(true, true);
}}"""
# The panel's text, and the width of its first picture: 0 for one that is not there.
PAGE = """() => {
  const page = document.querySelector(".node-help-content"), picture = page?.querySelector("img");
  return page && picture?.complete ? [page.innerText, picture.naturalWidth] : null;
}"""


@pytest.fixture(scope="module", params=["en", "zh"])
def spoken(request: pytest.FixtureRequest, shown: Window) -> Iterator[str]:
    """The page in this language."""
    _speak(shown, request.param)
    yield request.param
    _speak(shown, "en")


def _speak(shown: Window, language: str) -> None:
    shown.page.request.post(f"{shown.url}/api/settings", data={"Comfy.Locale": language})
    shown.page.reload(timeout=SECONDS * 1000)
    shown.wait()


def test_a_page_opens_with_its_picture(
    shown: Window, spoken: str, screenshots: Path, combination: str
) -> None:
    shown.page.evaluate(SELECT)
    shown.page.locator('[data-testid="info-button"]').first.click(timeout=SECONDS * 1000)
    text, width = shown.page.wait_for_function(PAGE, timeout=SECONDS * 1000).json_value()
    shown.pictures(screenshots / f"{combination}-help-{spoken}.png")
    title = (ROOT / "web" / "docs" / NODE / f"{spoken}.md").read_text(encoding="utf-8").splitlines()[0]
    assert text.startswith(title.removeprefix("# "))
    assert width > 100
    assert shown.complaints == []
