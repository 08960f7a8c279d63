"""Subgraph blueprints: a chain of nodes as one node, which the browser offers in its search."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .graph import Api, fed, values
from .kinds import Input, kinds
from .layout import BETWEEN, GAP, TITLE, least_height

INPUTS, OUTPUTS = -10, -20  # the ids of a subgraph's two ends


@dataclass(frozen=True)
class Plan:
    """A blueprint made from a workflow.

    Args:
        inside: columns of the nodes that go into it.
        inputs: (name, node, input) of its sockets and widgets, in order.
        output: (name, node, number of its output).
    """

    name: str
    workflow: str
    about: str
    aliases: tuple[str, ...]
    inside: tuple[tuple[int, ...], ...]
    inputs: tuple[tuple[str, int, str], ...]
    output: tuple[str, int, int]


BLUEPRINTS = (
    Plan(
        "EAD-Net Talking Portrait",
        "photo_with_emotion",
        "A portrait says a recording with the emotion of a sentence: any face, its own pixels are moved.",
        ("talking head", "lip sync", "lipsync", "portrait", "speech", "avatar", "emotion"),
        ((3, 5), (4, 6), (7, 8)),
        (("portrait", 5, "image"), ("speech", 6, "audio"), ("sentence", 4, "text"), ("seed", 6, "seed")),
        ("video", 8, 0),
    ),
)


def blueprint(api: Api, plan: Plan) -> dict[str, Any]:
    """The file: a graph of one node, and what is inside it."""
    identity = str(uuid.uuid5(uuid.NAMESPACE_URL, f"ead-net/subgraph/{plan.name}"))
    subgraph = _Inside(api, plan).made(identity)
    sockets: list[dict[str, Any]] = []
    for part in subgraph["inputs"]:
        widget = {"widget": {"name": part["name"]}} if part["name"] in _widgets(api, plan) else {}
        sockets.append({"name": part["name"], "type": part["type"], "link": None, **widget})
    name, node, slot = plan.output
    proxies = [[str(n), w] for _, n, w in plan.inputs if _input(api, n, w).widget]
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"ead-net/{plan.name}")),
        "revision": 0,
        "last_node_id": 1,
        "last_link_id": 0,
        "nodes": [
            {
                "id": 1,
                "type": identity,
                "pos": [0, 0],
                "size": [320, 240],
                "flags": {},
                "order": 0,
                "mode": 0,
                "inputs": sockets,
                "outputs": [{"name": name, "type": _output_type(api, node, slot), "links": None}],
                "title": plan.name,
                "properties": {"proxyWidgets": proxies},
                "widgets_values": [],
            }
        ],
        "links": [],
        "groups": [],
        "definitions": {"subgraphs": [subgraph]},
        "config": {},
        "extra": {"BlueprintDescription": plan.about, "BlueprintSearchAliases": list(plan.aliases)},
        "version": 0.4,
    }


def _input(api: Api, node: int, name: str) -> Input:
    return next(part for part in kinds()[api[str(node)]["class_type"]].inputs if part.name == name)


def _output_type(api: Api, node: int, slot: int) -> str:
    return kinds()[api[str(node)]["class_type"]].outputs[slot][1]


def _widgets(api: Api, plan: Plan) -> set[str]:
    return {name for name, node, part in plan.inputs if _input(api, node, part).widget}


class _Inside:
    """The nodes and links of a subgraph."""

    def __init__(self, api: Api, plan: Plan) -> None:
        self.plan = plan
        self.api = {str(number): self._open(api, number) for column in plan.inside for number in column}
        self.links: list[dict[str, Any]] = []

    def _open(self, api: Api, number: int) -> Mapping[str, Any]:
        """A node of the workflow, whose inputs from outside come from the subgraph's own; a recording that
        several nodes take comes from one socket.
        """
        node = api[str(number)]
        outer = {
            tuple(api[str(n)]["inputs"][part]): name
            for name, n, part in self.plan.inputs
            if isinstance(api[str(n)]["inputs"][part], list)
        }
        inner = {str(n) for column in self.plan.inside for n in column}
        inputs = {}
        for name, value in node["inputs"].items():
            own = next((o for o, n, part in self.plan.inputs if (n, part) == (number, name)), None)
            if own is not None:
                value = [str(INPUTS), self._slot(own)]
            elif isinstance(value, list) and value[0] not in inner:
                value = [str(INPUTS), self._slot(outer[tuple(value)])]
            inputs[name] = value
        return {**node, "inputs": inputs}

    def _slot(self, name: str) -> int:
        return [part[0] for part in self.plan.inputs].index(name)

    def made(self, identity: str) -> dict[str, Any]:
        places = self._places()
        nodes = [self._node(int(number), places[int(number)]) for number in self.api]
        for order, node in enumerate(nodes):
            node["order"] = order
        _, last, slot = self.plan.output
        kind = kinds()[self.api[str(last)]["class_type"]]
        self._link(last, slot, OUTPUTS, 0, kind.outputs[slot][1])
        for node in nodes:
            for index, output in enumerate(node["outputs"]):
                found = [
                    k["id"] for k in self.links if (k["origin_id"], k["origin_slot"]) == (node["id"], index)
                ]
                output["links"] = found or None
        return {
            "id": identity,
            "version": 1,
            "state": {
                "lastGroupId": 0,
                "lastNodeId": max(map(int, self.api)),
                "lastLinkId": len(self.links),
                "lastRerouteId": 0,
            },
            "revision": 0,
            "config": {},
            "name": self.plan.name,
            "category": "EAD-Net",
            "description": self.plan.about,
            "inputNode": {"id": INPUTS, "bounding": [-180, 0, 120, 40 + 20 * len(self.plan.inputs)]},
            "outputNode": {"id": OUTPUTS, "bounding": [max(p[0] for p in places.values()) + 380, 0, 120, 60]},
            "inputs": self._ends(identity),
            "outputs": [
                {
                    "id": str(uuid.uuid5(uuid.UUID(identity), "out")),
                    "name": self.plan.output[0],
                    "type": kind.outputs[slot][1],
                    "linkIds": [k["id"] for k in self.links if k["target_id"] == OUTPUTS],
                    "pos": [max(p[0] for p in places.values()) + 400, 20],
                }
            ],
            "widgets": [],
            "nodes": nodes,
            "groups": [],
            "links": self.links,
            "extra": {},
        }

    def _ends(self, identity: str) -> list[dict[str, Any]]:
        found = []
        for slot, (name, node, part) in enumerate(self.plan.inputs):
            found.append(
                {
                    "id": str(uuid.uuid5(uuid.UUID(identity), name)),
                    "name": name,
                    "type": _input(self.api, node, part).type,
                    "linkIds": [
                        k["id"] for k in self.links if (k["origin_id"], k["origin_slot"]) == (INPUTS, slot)
                    ],
                    "pos": [-80, 20 + 20 * slot],
                }
            )
        return found

    def _places(self) -> dict[int, tuple[float, float]]:
        places, left = {}, 0.0
        for column in self.plan.inside:
            top = 0.0
            for number in column:
                places[number] = (left, top)
                name = self.api[str(number)]["class_type"]
                top += least_height(name, kinds()[name]) + TITLE + GAP
            left += 320 + BETWEEN
        return places

    def _link(self, source: int, start: int, target: int, slot: int, kind: str) -> int:
        self.links.append(
            {
                "id": len(self.links) + 1,
                "origin_id": source,
                "origin_slot": start,
                "target_id": target,
                "target_slot": slot,
                "type": kind,
            }
        )
        return len(self.links)

    def _node(self, number: int, place: tuple[float, float]) -> dict[str, Any]:
        node = self.api[str(number)]
        kind = kinds()[node["class_type"]]
        inputs = []
        for slot, part in enumerate(fed(node)):
            given, link, type_ = node["inputs"].get(part.name), None, part.type
            if isinstance(given, list):
                source = int(given[0])
                if source != INPUTS:
                    type_ = _output_type(self.api, source, given[1])
                link = self._link(source, given[1], number, slot, type_)
            socket: dict[str, Any] = {"name": part.name, "type": type_, "link": link}
            if part.optional:
                socket["shape"] = 7
            if part.widget:
                socket["widget"] = {"name": part.name}
            inputs.append(socket)
        made: dict[str, Any] = {
            "id": number,
            "type": node["class_type"],
            "pos": list(place),
            "size": [320, least_height(node["class_type"], kind)],
            "flags": {},
            "order": 0,
            "mode": 0,
            "inputs": inputs,
            "outputs": [{"name": name, "type": type_, "links": None} for name, type_ in kind.outputs],
            "properties": {"Node name for S&R": node["class_type"]},
            "widgets_values": values(kind, node["inputs"]),
        }
        if not node["class_type"].startswith("EADNet"):
            made["title"] = node["_meta"]["title"]
        return made
