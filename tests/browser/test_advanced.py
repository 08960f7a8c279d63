"""What a first film does not need is put away until somebody asks for it, but saved and sent all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.window import SECONDS, Window

pytestmark = [pytest.mark.browser, pytest.mark.comfy, pytest.mark.slow]
KINDS = {
    "EADNetFaceTrack": ("detector", "order"),
    "EADNetRenderVideo": ("steps", "feather"),
    "EADNetSampler": ("steps", "window"),
}
# With an id of its own: Nodes 2.0 of the oldest frontend knows how high an earlier node of the same id was.
ADD = """kind => {
  app.graph.clear();
  const node = LiteGraph.createNode(kind);
  node.id = Math.floor(1e6 * Math.random());
  node.pos = [100, 100];
  app.graph.add(node);
  app.canvas.ds.scale = 0.6;
  app.canvas.ds.offset = [60, 60];
  app.canvas.setDirty(true, true);
}"""
# Nodes 2.0 of the newest frontend has a button of its own.
ASK = """() => {
  const node = app.graph.nodes[0];
  const button = node.widgets.find(widget => /^(Show|Hide) advanced$/.test(widget.name));
  if (!button.hidden) return button.callback();
  document.querySelector('[data-testid="advanced-inputs-button"]').click();
}"""
DRAWN = """name => {
  const node = app.graph.nodes[0], widget = node.widgets.find(widget => widget.name === name);
  const element = document.querySelector(`[data-node-id="${node.id}"]`);
  if (!element) return node.isWidgetVisible(widget);
  return element.innerText.split("\\n").includes(widget.label || name);
}"""
SAVED = """async () => {
  const { workflow, output } = await app.graphToPrompt();
  const { widgets_values, showAdvanced } = workflow.nodes[0];
  return { values: widgets_values, shown: Boolean(showAdvanced), sent: Object.values(output)[0].inputs };
}"""
# As somebody who types, or as Run does with a seed.
CHANGE = """() => {
  for (const widget of app.graph.nodes[0].widgets) {
    if (widget.type !== "button") widget.callback?.(widget.value);
  }
}"""
# On the canvas: where a widget that is seen does not begin where the one before it ends.
GAPS = """() => {
  const node = app.graph.nodes[0];
  app.canvas.draw(true, true);
  if (document.querySelector(`[data-node-id="${node.id}"]`)) return [];
  const seen = node.widgets.filter(widget => node.isWidgetVisible(widget));
  return seen.slice(1).filter((widget, i) => Math.abs(widget.y - seen[i].y - seen[i].computedHeight) > 1)
    .map(({ name }) => name);
}"""
AGAIN = "async () => { await app.loadGraphData(app.graph.serialize()); }"


def height(shown: Window) -> float:
    ((_, top, _, bottom),) = shown.boxes().nodes.values()
    return bottom - top


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_shown_when_somebody_asks_for_it(
    shown: Window, kind: str, screenshots: Path, combination: str
) -> None:
    everyday, advanced = KINDS[kind]

    def drawn(expected: bool) -> None:
        """The everyday widget, and the advanced one as expected."""
        both = f"([always, at_times, expected]) => ({DRAWN})(always) && ({DRAWN})(at_times) === expected"
        arguments = [everyday, advanced, expected]
        shown.page.wait_for_function(both, arg=arguments, timeout=SECONDS * 1000)

    shown.page.evaluate(ADD, kind)
    drawn(False)
    assert shown.page.evaluate(GAPS) == []
    before, least = shown.page.evaluate(SAVED), height(shown)
    shown.page.evaluate(CHANGE)
    shown.page.evaluate(ASK)
    drawn(True)
    shown.page.wait_for_timeout(1000)
    shown.picture(screenshots / f"{combination}-advanced-{kind}.png")
    assert height(shown) > least + 50
    after = shown.page.evaluate(SAVED)
    assert (before["values"], before["sent"]) == (after["values"], after["sent"])
    assert not before["shown"] and after["shown"]
    shown.page.evaluate(AGAIN)  # as a saved file
    drawn(True)
    shown.page.evaluate(CHANGE)
    shown.page.evaluate(ASK)
    drawn(False)
    assert shown.page.evaluate(SAVED) == before
    assert shown.complaints == []
