"""What the server says, put into words; the wire itself is tested in tests/comfy."""

from __future__ import annotations

from tools.client import failure, refusal
from tools.display import RunDisplay

WORKFLOW = {
    "1": {"class_type": "LoadImage", "inputs": {}},
    "2": {"class_type": "EADNetSampler", "inputs": {}, "_meta": {"title": "Make it talk"}},
}


def test_every_problem_of_every_node_is_named() -> None:
    problems = [
        {"type": "value_smaller_than_min", "message": "Value 0 smaller than min of 1", "details": "steps"},
        {"type": "required_input_missing", "message": "Required input is missing", "details": "audio"},
    ]
    answer = {
        "error": {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation"},
        "node_errors": {"2": {"errors": problems, "class_type": "EADNetSampler"}},
    }
    assert refusal(answer, WORKFLOW).splitlines() == [
        "Prompt outputs failed validation",
        "  Make it talk (node 2): Value 0 smaller than min of 1 steps",
        "  Make it talk (node 2): Required input is missing audio",
    ]


def test_a_refusal_without_node_errors_is_still_told() -> None:
    error = {
        "type": "invalid_prompt",
        "message": "Cannot execute because node X does not exist.",
        "details": "#1",
    }
    assert (
        refusal({"error": error, "node_errors": []}, {})
        == "Cannot execute because node X does not exist.: #1"
    )


def test_an_error_of_ours_is_its_sentence_and_any_other_shows_where_it_came_from() -> None:
    event = {
        "node_id": "2",
        "node_type": "EADNetSampler",
        "exception_message": "The recording is empty.\n",
        "exception_type": "custom_nodes.pack.eadnet.errors.InputError",
        "traceback": ["  File w\n", "  File x\n", "  File y\n"],
    }
    assert failure(event) == "EADNetSampler (node 2) failed: The recording is empty."
    text = failure({**event, "exception_type": "KeyError"})
    assert text.startswith("EADNetSampler (node 2) failed: The recording is empty. [KeyError]")
    assert text.endswith("\n  File x\n  File y")


def test_progress_names_the_node_and_counts_nodes_and_steps() -> None:
    shown: list[str] = []
    display = RunDisplay(WORKFLOW, shown.append)
    display("execution_cached", {"nodes": ["1"]})
    display("executing", {"node": "2"})
    display("progress", {"node": "2", "value": 5, "max": 20})
    display("executing", {"node": None})
    assert shown == ["2/2 Make it talk", "2/2 Make it talk [#####---------------] 5/20"]
