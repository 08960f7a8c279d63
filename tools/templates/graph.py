"""A workflow in API format and a page (see `pages.py`) become the file that the browser opens."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from .kinds import Input, Kind, kinds
from .layout import Box, Group, Layout, arranged, least_height, note_height
from .pages import Note, Page

GREEN = {"color": "#2a4d33", "bgcolor": "#1d3a26"}
BLUE = {"color": "#2a3f66", "bgcolor": "#1d2b48"}
PAPER = {"color": "#4a4030", "bgcolor": "#2e2920"}
# Frontend 1.32 would enlarge the layout for Nodes 2.0, later ones would shrink it, by a fifth.
NO_SCALING = "Vue-corrected"
YOURS, OURS = "#6fbf83", "#7ea6d9"
# Where frontend 1.32, which shows a file's own view, has room: below its bars; wide enough for 1280 x 720.
CORNER, WINDOW = (70, 135), (1200, 690)
VAES = {
    "vae-ft-mse-840000-ema-pruned.safetensors": "https://huggingface.co/stabilityai/sd-vae-ft-mse-original/"
    "resolve/main/vae-ft-mse-840000-ema-pruned.safetensors"
}
Api = Mapping[str, Mapping[str, Any]]


def titled(api: Api) -> dict[str, Any]:
    """The workflow with the titles that our nodes have now."""
    made = {}
    for number, node in api.items():
        title = node["_meta"]["title"]
        if node["class_type"].startswith("EADNet"):
            title = kinds()[node["class_type"]].title
        made[number] = {**node, "_meta": {"title": title}}
    return made


def laid_out(api: Api, page: Page) -> Layout:
    """Where everything lies."""
    columns = [column for group in page.groups for column in group.columns]
    heights: dict[int | str, float] = {
        part: note_height(page.notes[part].text, column.width)
        for column in columns
        for part in column.parts
        if isinstance(part, str)
    }
    for number, node in api.items():
        least = least_height(node["class_type"], kinds()[node["class_type"]])
        heights[int(number)] = page.heights.get(int(number), least)
    return arranged(page.groups, heights)


def graph(api: Api, page: Page) -> dict[str, Any]:
    """The browser's format of a workflow."""
    layout = laid_out(api, page)
    links = _links(api)
    nodes = [_node(int(number), node, api, links, layout, page) for number, node in api.items()]
    last = max(map(int, api))
    for key, note in page.notes.items():
        last += 1
        nodes.append(_note(last, note, layout.parts[key]))
    for order, node in enumerate(nodes):
        node["order"] = order
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"ead-net/{page.name}")),
        "revision": 0,
        "last_node_id": last,
        "last_link_id": len(links),
        "nodes": nodes,
        "links": links,
        "groups": [_group(index, group, box) for index, (group, box) in enumerate(layout.groups, 1)],
        "config": {},
        "extra": {"ds": _view(layout), "workflowRendererVersion": NO_SCALING, **page.app},
        "version": 0.4,
    }


def _links(api: Api) -> list[list[Any]]:
    """[id, source, output, target, input, type], inputs in the order of the browser's sockets."""
    found: list[list[Any]] = []
    for number, node in api.items():
        for slot, part in enumerate(fed(node)):
            given = node["inputs"].get(part.name)
            if isinstance(given, list):
                source = kinds()[api[given[0]]["class_type"]]
                kind = source.outputs[given[1]][1]
                found.append([len(found) + 1, int(given[0]), given[1], int(number), slot, kind])
    return found


def fed(node: Mapping[str, Any]) -> list[Input]:
    """The inputs that the browser draws as sockets: those without a widget, and widgets that a link feeds."""
    kind = kinds()[node["class_type"]]
    return [*kind.sockets, *(w for w in kind.widgets if isinstance(node["inputs"].get(w.name), list))]


def _node(
    number: int,
    node: Mapping[str, Any],
    api: Api,
    links: list[list[Any]],
    layout: Layout,
    page: Page,
) -> dict[str, Any]:
    name, box = node["class_type"], layout.parts[number]
    kind = kinds()[name]
    inputs = []
    for slot, part in enumerate(fed(node)):
        number_of_link = next((link[0] for link in links if link[3:5] == [number, slot]), None)
        type_ = part.type
        if number_of_link is not None and type_ != "*":
            type_ = links[number_of_link - 1][5]
        socket: dict[str, Any] = {"name": part.name, "type": type_, "link": number_of_link}
        if part.optional:
            socket["shape"] = 7
        if part.widget:
            socket["widget"] = {"name": part.name}
        inputs.append(socket)
    outputs = [
        {
            "name": label,
            "type": type_,
            "links": [link[0] for link in links if link[1:3] == [number, slot]] or None,
            "slot_index": slot,
        }
        for slot, (label, type_) in enumerate(kind.outputs)
    ]
    made: dict[str, Any] = {
        "id": number,
        "type": name,
        "pos": [box.left, box.top],
        "size": [box.width, box.height],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": inputs,
        "outputs": outputs,
        "properties": {"Node name for S&R": name, **_models(node["inputs"])},
        "widgets_values": values(kind, node["inputs"]),
    }
    if not name.startswith("EADNet"):  # ours keep the name of their class, in the language of the page
        made["title"] = node["_meta"]["title"]
    return made | _colour(number, page)


def values(kind: Kind, given: Mapping[str, Any]) -> list[Any]:
    """The widgets' values in order, as the browser saves them; one that a link feeds has its default."""
    found: list[Any] = []
    for widget in kind.widgets:
        value = given.get(widget.name, widget.default)
        linked = isinstance(value, list)
        found += [_at_rest(widget) if linked else value, *widget.follow]
    return found


def _at_rest(widget: Input) -> Any:
    if widget.default is not None:
        return widget.default
    return {"INT": 0, "FLOAT": 25.0, "STRING": "", "BOOLEAN": False}[widget.type]


def _colour(number: int, page: Page) -> dict[str, str]:
    if number in page.yours:
        return GREEN
    group = next(g for g in page.groups if any(number in column.parts for column in g.columns))
    return BLUE if group.ours else {}


def _models(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Where the browser offers to download what a node loads: it knows safetensors files alone."""
    name = inputs.get("vae_name")
    return {"models": [{"name": name, "url": VAES[name], "directory": "vae"}]} if name in VAES else {}


def _note(number: int, note: Note, box: Box) -> dict[str, Any]:
    return {
        "id": number,
        "type": "MarkdownNote",
        "pos": [box.left, box.top],
        "size": [box.width, box.height],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "title": note.title,
        "properties": {},
        "widgets_values": [f"### {note.text}"],  # a heading, since a note's own letters are small
        **PAPER,
    }


def _group(number: int, group: Group, box: Box) -> dict[str, Any]:
    return {
        "id": number,
        "title": group.title,
        "bounding": [box.left, box.top, box.width, box.height],
        "color": OURS if group.ours else YOURS,
        "font_size": 24,
        "flags": {},
    }


def _view(layout: Layout) -> dict[str, Any]:
    """The part of the plane that frontends show which keep a file's own view: all of it."""
    boxes = [box for _, box in layout.groups]
    left, top = min(b.left for b in boxes), min(b.top for b in boxes)
    width = max(b.left + b.width for b in boxes) - left
    height = max(b.top + b.height for b in boxes) - top
    scale = round(min(WINDOW[0] / width, WINDOW[1] / height, 1.0), 3)
    return {"scale": scale, "offset": [CORNER[0] / scale - left, CORNER[1] / scale - top]}
