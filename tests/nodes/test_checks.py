"""Values that no widget would offer: by a link, where ComfyUI checks nothing, or as JSON over its API."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

NAN, INFINITE = float("nan"), float("inf")

CAPTION = {
    "backend": "template", "emotion": "angry", "intensity": 0.9, "features": 3, "seed": 1, "phrasing":
    "written anew", "frame_count": 2, "model": "none", "url": "", "url_model": "", "timeout": 10.0,
}  # fmt: skip
PICTURES = torch.rand(2, 32, 32, 3)


@pytest.mark.parametrize(
    ("node", "inputs", "message"),
    [
        (
            "EADNetEmotionCaption",
            {**CAPTION, "backend": "templat"},
            "no backend 'templat': did you mean te",
        ),
        ("EADNetEmotionCaption", {**CAPTION, "emotion": "anger"}, "no emotion 'anger': did you mean angry"),
        ("EADNetEmotionCaption", {**CAPTION, "intensity": NAN}, "intensity is nan: use a number from 0 to 1"),
        ("EADNetEmotionEncode", {"text": "sad", "strength": NAN}, "strength is nan"),
        ("EADNetAudioEncode", {"audio": None, "fps": INFINITE}, "fps is inf: use a number from 1 to 120"),
        (
            "EADNetVideoMetrics",
            {"generated": PICTURES, "reference": PICTURES, "fps": 25.0, "theme": "drak"},
            "no theme 'drak': did you mean dark",
        ),
    ],
)
def test_what_no_widget_would_take_is_refused_by_name(
    nodes: Any,
    run: Callable[..., Any],
    loaded: Any,
    input_error: type[Exception],
    node: str,
    inputs: dict[str, Any],
    message: str,
) -> None:
    networks = {"EADNetEmotionEncode": "text_encoder", "EADNetAudioEncode": "audio_encoder"}
    if node in networks:
        inputs = {networks[node]: getattr(loaded, networks[node]), **inputs}
    with pytest.raises(input_error, match=message):
        run(getattr(nodes, node), **inputs)


def test_frame_rates_beyond_a_widgets_limits_go_through(
    nodes: Any, run: Callable[..., Any], loaded: Any
) -> None:
    """They come by links from videos, and workflows that go beyond the limits so have to go on working."""
    sound = {"waveform": torch.rand(1, 1, 16000), "sample_rate": 16000}
    tokens, count = run(
        nodes.EADNetAudioEncode,
        audio_encoder=loaded.audio_encoder,
        audio=sound,
        fps=144.0,
        silence_gate=False,
    )
    assert count == len(tokens.tokens) == 144


class Odd:
    """What another pack may send through a socket of any type."""

    def __repr__(self) -> str:
        raise RuntimeError("no words for it")


NO_NUMBERS = [
    NAN, INFINITE, -INFINITE, 10**400, -(10**400), "1e400", "nan", "", "many", "9" * 5000, None, [], [1, 2],
    {}, True, 1j, torch.tensor([1.0, 2.0]), torch.tensor(NAN), np.float64("nan"), np.array(["three"]), Odd(),
]  # fmt: skip
NO_TRUTH = ["maybe", "", 2, -1, 0.5, NAN, None, [], {}, 10**400, torch.tensor([1, 0]), Odd()]
NO_TEXT: list[Any] = [
    None,
    5,
    NAN,
    [],
    ["a"],
    {},
    True,
    torch.zeros(2),
    Odd(),
    "\ud800",
    "a\udc00",
    "a\0b",
    "\x1b[2J",
    "x" * 200_000,
]
NO_CHOICE = [*NO_TEXT, "no such choice", "", "x" * 1999, "\u202e", -0.0]


def widgets(node: Any) -> list[Any]:
    from comfy_api.latest import io

    return [part for part in node.define_schema().inputs if isinstance(part, io.WidgetInput)]


def wrong_values(widget: Any, types: Any) -> list[Any]:
    from comfy_api.latest import io

    if isinstance(widget, io.Int.Input):
        return [*NO_NUMBERS, 0.5 + widget.min, widget.min - 2**64, widget.max + 2**64]
    if isinstance(widget, io.Float.Input):
        return [*NO_NUMBERS, widget.min - 1e-6, widget.max + 1e4]
    if isinstance(widget, io.Boolean.Input):
        return NO_TRUTH
    if isinstance(widget, io.Combo.Input):
        return NO_TEXT if isinstance(widget, types.FileChoice) else NO_CHOICE
    return NO_TEXT


def test_every_widget_of_every_node_refuses_what_it_does_not_offer_by_name(
    nodes: Any, types: Any, input_error: type[Exception]
) -> None:
    """A node is given the one value alone: it is refused before anything else is looked at."""
    tried = 0
    for node in vars(nodes).values():
        assert node.execute.checks_widgets, node
        for widget in widgets(node):
            for value in wrong_values(widget, types):
                if value is None and widget.optional:
                    continue
                with pytest.raises(input_error) as caught:
                    node.EXECUTE_NORMALIZED(**{widget.id: value})
                message = str(caught.value)
                assert widget.id in message and len(message) < 500, message
                message.encode("utf-8")
                tried += 1
    assert tried > 1000


EQUALS: list[tuple[str, str, Any, Any]] = [
    ("EADNetRenderVideo", "steps", 7.0, 7),
    ("EADNetRenderVideo", "steps", "7", 7),
    ("EADNetRenderVideo", "steps", np.int32(7), 7),
    ("EADNetRenderVideo", "steps", torch.tensor(7), 7),
    ("EADNetRenderVideo", "seed", str(2**64 - 1), 2**64 - 1),
    ("EADNetRenderVideo", "fps", torch.tensor([25.0]), 25.0),
    ("EADNetRenderVideo", "fps", np.float64(25), 25.0),
    ("EADNetRenderVideo", "fps", Fraction(25), 25.0),
    ("EADNetRenderVideo", "smoothing", -0.0, 0.0),
    ("EADNetRenderVideo", "resume", 0, False),
    ("EADNetRenderVideo", "resume", "False", False),
    ("EADNetRenderVideo", "resume", np.bool_(True), True),
    ("EADNetRenderVideo", "resume", torch.tensor(True), True),
    ("EADNetFaceTrack", "manual", "1, 2,\n3, 4", "1, 2, 3, 4"),
    ("EADNetEmotionEncode", "text", "happy 😀\n\ta broad smile", "happy 😀\n\ta broad smile"),
]


@pytest.mark.parametrize(("node", "widget", "value", "plain"), EQUALS)
def test_what_means_the_same_arrives_as_a_plain_value(
    nodes: Any, submodule: Callable[[str], Any], node: str, widget: str, value: Any, plain: Any
) -> None:
    made = submodule("nodes.checks").checked_widgets(getattr(nodes, node), {widget: value, "other": 5})
    assert repr(made) == repr({widget: plain, "other": 5})


def test_every_default_is_allowed(nodes: Any, submodule: Callable[[str], Any]) -> None:
    for node in vars(nodes).values():
        defaults = {part.id: part.default for part in widgets(node) if part.default is not None}
        assert submodule("nodes.checks").checked_widgets(node, defaults) == defaults


def test_values_that_come_by_a_link_are_not_judged_before_they_are_known(nodes: Any) -> None:
    """ComfyUI gives None for them when it validates a workflow."""
    assert nodes.EADNetSampler.validate_inputs(window=None, overlap=4) is True
    assert nodes.EADNetRenderVideo.validate_inputs(window=16, overlap=None) is True
    assert nodes.EADNetFaceTrack.validate_inputs(manual=None) is True
    assert nodes.EADNetCheckpointLoader.validate_inputs(checkpoint=None) is True
    assert nodes.EADNetLatentSyncLoader.validate_inputs(unet=None) is True


@pytest.mark.parametrize("value", [None, "x", "\x1b", 7, 1.5, float("nan"), True, [], {}, [1, 2]])
def test_a_nodes_own_check_judges_what_it_can_and_never_raises(nodes: Any, value: Any) -> None:
    """ComfyUI neither converts nor limits the inputs that `validate_inputs` asks for."""
    for node in vars(nodes).values():
        asked = inspect.signature(node.validate_inputs).parameters
        own = [name for name, part in asked.items() if part.kind is part.POSITIONAL_OR_KEYWORD]
        for name in own:
            said = node.validate_inputs(**{**dict.fromkeys(own, None), name: value})
            assert said is True or (isinstance(said, str) and said), f"{node.__name__}.{name}"


@pytest.mark.parametrize(
    ("node", "inputs", "parts"),
    [
        (
            "EADNetEmotionTimeline",
            {"timeline": "0 calm, 7\n1 sad\nhappy"},
            ["Line 1: the st", "Line 3: 'happy'"],
        ),
        ("EADNetEmotionEncode", {"text": "sad\x07"}, ["text has a character that cannot be shown"]),
        ("EADNetEmotionEncode", {"text": "x" * 100_001}, ["text has 100001 characters"]),
        (
            "EADNetEditExpression",
            {"add": "smlie 1\nsmile 7"},
            ["add, line 1: There is no", "add, line 2: smi"],
        ),
        (
            "EADNetRenderVideo",
            {"window": 8, "overlap": 9, "filename_prefix": "../../x"},
            ["overlap (context_overlap) is 9", "filename_prefix is '../../x', outside"],
        ),
        ("EADNetEmotionCaption", {"backend": "endpoint", "url": "ftp://a"}, ["url 'ftp://a' is not an http"]),
        ("EADNetEmotionCaption", {"backend": "endpont", "url": ""}, ["no backend 'endpont'"]),
        (
            "EADNetLatentSyncLoader",
            {"unet": "a.safetensors", "whisper": "b.safetensors", "adapter": "none"},
            ["'a.safetensors'", "'b.safetensors'"],
        ),
    ],
)
def test_all_that_is_wrong_is_said_before_a_run_and_names_the_input(
    nodes: Any, node: str, inputs: dict[str, Any], parts: list[str]
) -> None:
    said = getattr(nodes, node).validate_inputs(**inputs)
    assert isinstance(said, str) and all(part in said for part in parts), said


@pytest.mark.slow  # imports the server
def test_the_page_shows_a_plain_class_name_with_an_error(
    input_error: type[Exception], checkpoint_error: type[Exception]
) -> None:
    from execution import full_type_name  # as ComfyUI names it

    assert full_type_name(input_error) == "eadnet.InputError"
    assert full_type_name(checkpoint_error) == "eadnet.CheckpointError"
