"""The page in Chinese. Frontend 1.32.9 loads its own words after those of packs and over them: the titles and
widgets of every pack stay English there, ours and that of a pack that has nothing else. Newer ones do not.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.window import SECONDS, Window

pytestmark = [pytest.mark.browser, pytest.mark.comfy, pytest.mark.slow]
OTHER, OTHERS_TITLE = "EADNetTestsOther", "别的节点"
TITLES = """names => names.map(name => LiteGraph.createNode(name).title)"""


@pytest.fixture(scope="module")
def chinese(shown: Window) -> Iterator[Window]:
    def speak(language: str) -> None:
        shown.page.request.post(f"{shown.url}/api/settings", data={"Comfy.Locale": language})
        shown.page.reload(timeout=SECONDS * 1000)
        shown.wait()

    speak("zh")
    yield shown
    speak("en")


def test_titles_are_chinese_wherever_those_of_any_pack_are(chinese: Window, combination: str) -> None:
    core, other, ours = chinese.page.evaluate(TITLES, ["KSampler", OTHER, "EADNetRenderRig"])
    assert core == "K采样器"
    assert (other == OTHERS_TITLE) == ("渲染" in ours), (other, ours)
    if "newest" in combination:
        assert other == OTHERS_TITLE
