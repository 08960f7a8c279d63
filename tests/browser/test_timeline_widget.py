"""The emotion timeline's picture and the live view in a real browser: what is drawn is the text, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.window import SECONDS, Window

pytestmark = [pytest.mark.browser, pytest.mark.comfy, pytest.mark.slow]
JS = "/extensions/comfyui-ead-net/js"
FIRST = "0.0 calm\n1.5 happy, a broad smile, 0.7\n3.0 furious, brows pulled down, lips pressed"

GRAPH = """() => {
  app.graph.clear();
  const add = (type, x, y) => {
    const node = LiteGraph.createNode(type);
    node.pos = [x, y];
    app.graph.add(node);
    return node;
  };
  const link = (from, slot, to, name) => from.connect(slot, to, to.inputs.findIndex(i => i.name === name));
  const sound = add('LoadAudio', 60, 120), heard = add('EADNetAudioEncode', 60, 360);
  const timeline = add('EADNetEmotionTimeline', 420, 120);
  sound.widgets.find(w => w.name === 'audio').value = 'ead-net-speech.wav';
  link(sound, 0, heard, 'audio');
  link(heard, 1, timeline, 'frame_count');
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [0, 0];
}"""
TEXT = "() => app.graph.nodes.find(n => n.type === 'EADNetEmotionTimeline').widgets[0].value"
WRITE = "t => { app.graph.nodes.find(n => n.type === 'EADNetEmotionTimeline').widgets[0].value = t }"

# One hour, 500 points, from text to picture.
FIRST_PAINT = """async js => {
  const { paintTimeline } = await import(js + '/timeline_paint.js');
  const { readKeys } = await import(js + '/timeline_text.js');
  const line = i => `${(i * 7.1).toFixed(1)} happy, a broad smile ${i % 9}, ${(i * 37) % 100 / 100}`;
  const text = Array.from({ length: 500 }, (_, i) => line(i)).join('\\n');
  const wave = { seconds: 3600, peaks: Array.from({ length: 20000 }, Math.random) };
  const canvas = document.createElement('canvas');
  canvas.style.cssText = 'width:600px;height:150px';
  document.body.append(canvas);
  const paint = () => {
    const before = performance.now(), keys = readKeys(text);
    const view = { start: 0, seconds: 3600 };
    paintTimeline(canvas, { keys, view, wave, fade: 0.4, chosen: null, end: 3600 });
    return performance.now() - before;
  };
  const times = [paint(), paint(), paint()];
  canvas.remove();
  return times;
}"""


@pytest.fixture(scope="module")
def page(shown: Window) -> Iterator[Any]:
    """The page with a graph of a recording and a timeline."""
    shown.page.evaluate(GRAPH)
    shown.page.wait_for_selector(".eadnet-timeline canvas", timeout=SECONDS * 1000)
    shown.page.wait_for_timeout(1500)
    yield shown.page


def place(page: Any, time: float, strength: float) -> tuple[float, float]:
    """Where a key is in the window; the recording lasts 4 seconds."""
    box = page.locator(".eadnet-timeline canvas").bounding_box()
    return box["x"] + 8 + time / 4 * (box["width"] - 16), box["y"] + 18 + (1 - strength) * (
        box["height"] - 36
    )


def test_points_are_dragged_typed_moved_by_keys_and_removed(page: Any) -> None:
    assert page.evaluate(TEXT) == FIRST
    page.mouse.move(*place(page, 1.5, 0.7))
    page.mouse.down()
    page.mouse.move(*place(page, 2.0, 0.4), steps=4)
    page.mouse.up()
    lines = page.evaluate(TEXT).splitlines()
    assert lines[::2] == FIRST.splitlines()[::2], "other lines stay as they were"
    assert lines[1].endswith("happy, a broad smile, 0.4") and float(lines[1].split()[0]) == pytest.approx(
        2, abs=0.02
    )
    page.mouse.dblclick(*place(page, 3.5, 0.5))
    page.keyboard.type("sad, mouth corners down")
    page.keyboard.press("Enter")
    assert "sad, mouth corners down, 0.5" in page.evaluate(TEXT).splitlines()[3]
    page.keyboard.press("ArrowUp")
    assert page.evaluate(TEXT).endswith("sad, mouth corners down, 0.55")
    page.keyboard.press("Delete")
    assert page.evaluate(TEXT).splitlines() == lines


def test_the_text_alone_is_saved(page: Any) -> None:
    saved = page.evaluate(
        "() => app.graph.serialize().nodes.find(n => n.type === 'EADNetEmotionTimeline').widgets_values"
    )
    assert len(saved) == 5 and isinstance(saved[0], str)


def test_what_is_typed_into_the_text_is_drawn(page: Any) -> None:
    pixels = "() => document.querySelector('.eadnet-timeline canvas').toDataURL()"
    before = page.evaluate(pixels)
    page.evaluate(WRITE, FIRST)
    page.wait_for_timeout(800)
    assert page.evaluate(pixels) != before


@pytest.mark.parametrize(
    "line",
    [
        "0 calm",
        "1:02.5s  sad, 0.5",
        ".5 a, 1e-1",
        "3",
        "3 0.4",
        "1 a, b, 1",
        "# no",
        "x y",
        "1 a, 7",
        "1 a, 0.8x",
    ],
)
def test_lines_mean_the_same_here_and_there(page: Any, line: str) -> None:
    from eadnet.captions.timeline import parse_timeline
    from eadnet.errors import InputError

    read = "async ([js, line]) => (await import(js + '/timeline_text.js')).readLine(line)"
    written = "async ([js, key]) => (await import(js + '/timeline_text.js')).writeLine(key)"
    found = page.evaluate(read, [JS, line])
    try:
        (key,) = parse_timeline(line)
    except InputError:
        assert found is None
        return
    assert found == {"time": key.time, "text": key.text, "strength": key.strength}
    (again,) = parse_timeline(page.evaluate(written, [JS, found]))
    assert (again.time, again.text, again.strength) == (key.time, key.text, key.strength)


def test_an_hour_of_500_points_is_drawn_at_once(page: Any) -> None:
    assert min(page.evaluate(FIRST_PAINT, JS)) < 100, "ms"


def test_the_recording_is_found_along_the_links_and_heard(page: Any) -> None:
    wave = page.evaluate(f"async () => (await import('{JS}/timeline_sound.js')).waveOf('ead-net-speech.wav')")
    assert wave["seconds"] == pytest.approx(4, abs=0.05) and max(wave["peaks"]) == 1


def test_it_is_looked_at(page: Any, shown: Window, screenshots: Path, combination: str) -> None:
    page.evaluate(WRITE, FIRST)
    page.wait_for_timeout(800)
    shown.pictures(screenshots / f"{combination}-timeline.png")
    assert page.locator(".eadnet-timeline canvas").bounding_box()["height"] >= 100


def test_nothing_of_ours_fails(shown: Window) -> None:
    assert not shown.complaints
