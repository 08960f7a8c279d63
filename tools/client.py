"""ComfyUI's HTTP and WebSocket interface, as much as a run needs. Loopback only: no proxy is asked."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

from .errors import ServerError, WorkflowRefused
from .websocket import WebSocket

FOLDER = "ead-net"  # sub-folder of ComfyUI's input and output folders for what we put there
ENDS = ("execution_success", "execution_error", "execution_interrupted")


class Client:
    """One client of the server at `host:port`; the WebSocket messages of its prompts come to it alone."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.host, self.port = host, port
        self.id = uuid.uuid4().hex

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict | None = None,
        timeout: float = 30.0,
    ) -> bytes:
        """What the server answers at a path. Raises ServerError with its text when that is an error."""
        status, data = self._answer(method, path, body, headers, timeout)
        if status != 200:
            raise ServerError(
                f"ComfyUI answered {method} {path} with {status}: {data[:500].decode('utf-8', 'replace')}"
            )
        return data

    def get(self, path: str, timeout: float = 30.0) -> dict:
        """The JSON at a path."""
        return json.loads(self.request("GET", path, timeout=timeout))

    def post(self, path: str, body: dict | None = None) -> dict:
        """Posts JSON and returns the JSON that comes back, {} where the answer is empty."""
        data = json.dumps(body or {}).encode()
        return json.loads(self.request("POST", path, data, {"Content-Type": "application/json"}) or b"{}")

    def upload(self, path: Path, folder: str = FOLDER) -> str:
        """Uploads a picture or a recording; the name by which LoadImage and LoadAudio know it.

        Nothing is overwritten: the same file again is recognised, another one of the same name is renamed.
        """
        boundary = uuid.uuid4().hex
        filename = path.name.replace("\\", "_").replace('"', "_")
        fields = {"type": "input", "subfolder": folder}
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{filename}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n".encode()
        )
        body = b"".join([*parts, path.read_bytes(), f"\r\n--{boundary}--\r\n".encode()])
        content = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        answer = json.loads(self.request("POST", "/upload/image", body, content, timeout=600.0))
        return "/".join(part for part in (answer.get("subfolder"), answer["name"]) if part)

    def queue(self, workflow: dict) -> str:
        """Queues a workflow in API format and returns its prompt id.

        Raises:
            WorkflowRefused: the server's validation says no; the message says why, node by node.
        """
        body = json.dumps({"prompt": workflow, "client_id": self.id}).encode()
        status, data = self._answer("POST", "/prompt", body, {"Content-Type": "application/json"})
        try:
            answer = json.loads(data)
        except ValueError:
            answer = {"error": data.decode("utf-8", "replace")}
        if status != 200 or "prompt_id" not in answer:
            raise WorkflowRefused(refusal(answer, workflow), answer.get("node_errors") or {})
        return answer["prompt_id"]

    def interrupt(self) -> None:
        """Cancels the running prompt, as the Cancel button does."""
        self.post("/interrupt")

    def outputs(self, prompt_id: str) -> list[dict]:
        """Every file a finished prompt has written: dicts of filename, subfolder and type."""
        deadline = (
            time.monotonic() + 30.0
        )  # the server announces success a moment before it writes the history
        while prompt_id not in (history := self.get(f"/history/{prompt_id}")):
            if time.monotonic() > deadline:
                raise ServerError("ComfyUI keeps no record of what it has made.")
            time.sleep(0.02)
        nodes = history[prompt_id]["outputs"]
        return [
            item
            for node in nodes.values()
            for items in node.values()
            if isinstance(items, list)
            for item in items
            if isinstance(item, dict) and "filename" in item
        ]

    def download(self, item: dict, target: Path) -> None:
        """Writes an output file of the server to `target`."""
        query = urlencode(
            {key: item.get(key, "") for key in ("filename", "subfolder", "type")}, quote_via=quote
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.request("GET", f"/view?{query}", timeout=600.0))

    def run(
        self,
        workflow: dict,
        on_event: Callable[[str, dict], None] = lambda kind, data: None,
        is_alive: Callable[[], bool] = lambda: True,
    ) -> str:
        """Queues a workflow and returns its prompt id when it has succeeded.

        Args:
            on_event: gets the type and the data of every message about this prompt, in order; previews come
                as ("preview", {"image": bytes of a JPEG or PNG}).
            is_alive: asked when the server is silent for long; False ends the wait.

        Raises:
            WorkflowRefused: validation failed, nothing ran.
            ServerError: a node failed or the prompt was cancelled, in the server's own words; or it died.
        """
        websocket = WebSocket(self.host, self.port, f"/ws?clientId={self.id}")
        try:
            prompt_id = self.queue(workflow)
            for kind, data in self._messages(websocket, prompt_id, is_alive):
                on_event(kind, data)
                if kind == "execution_error":
                    raise ServerError(failure(data))
                if kind == "execution_interrupted":
                    raise ServerError(f"cancelled in {data.get('node_type', 'the graph')}")
            return prompt_id
        finally:
            websocket.close()

    def _messages(
        self, websocket: WebSocket, prompt_id: str, is_alive: Callable[[], bool]
    ) -> Iterator[tuple[str, dict]]:
        """The messages of one prompt up to and with the one that ends it."""
        while True:
            try:
                message = websocket.receive(timeout=5.0)
            except TimeoutError:
                if not is_alive():
                    raise ServerError("ComfyUI ended while it was working.") from None
                continue
            if isinstance(message, bytes):  # a picture after two words of 32 bits
                yield "preview", {"image": message[8:]}
                continue
            event = json.loads(message)
            kind, data = event.get("type", ""), event.get("data") or {}
            if data.get("prompt_id") == prompt_id:
                yield kind, data
                if kind in ENDS:
                    return

    def _answer(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict | None = None,
        timeout: float = 30.0,
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def title(workflow: dict, node_id: str) -> str:
    """What a person calls a node: its title in the graph, or its class."""
    node = workflow.get(node_id, {})
    return node.get("_meta", {}).get("title") or node.get("class_type") or f"node {node_id}"


def refusal(answer: dict, workflow: dict) -> str:
    """ComfyUI's validation errors as sentences: one line per node and error."""
    error = answer.get("error") or "ComfyUI refused the workflow"
    if isinstance(error, dict):
        error = ": ".join(part for part in (error.get("message"), error.get("details")) if part)
    lines = [str(error).strip()]
    for node_id, account in (answer.get("node_errors") or {}).items():
        for problem in account.get("errors", []):
            text = f"{problem.get('message', '')} {problem.get('details') or ''}".strip()
            lines.append(f"  {title(workflow, node_id)} (node {node_id}): {text}")
    return "\n".join(lines)


def failure(data: dict) -> str:
    """An `execution_error` message as text: the node, its error, and where it was raised."""
    kind = str(data.get("exception_type", "")).rpartition(".")[2]
    where = "".join((data.get("traceback") or [])[-2:]).rstrip()  # the server's log has all of it
    message = str(data.get("exception_message")).strip()
    head = f"{data.get('node_type')} (node {data.get('node_id')}) failed: {message}"
    return head if kind in ("InputError", "CheckpointError") else f"{head} [{kind}]\n{where}"
