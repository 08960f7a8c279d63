"""What is shown while a node works: messages to the page that queued the prompt, if somebody looks at it.

The page says so itself (`web/js/live.js`), and takes it back when its tab is hidden: then nothing is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .server import running_server

EVENT = "eadnet.live"
# Anybody may say that a page looks: what is remembered until the next prompt has an end.
_MOST_PAGES, _LONGEST_ID = 1000, 200

Send = Callable[[dict[str, Any]], None]


class Pages:
    """The pages that look, by the id of their connection."""

    def __init__(self) -> None:
        self._looking: set[str] = set()

    def note(self, client: str, looks: bool) -> None:
        """Take down whether a page looks."""
        self._looking.discard(client)
        if looks and len(self._looking) < _MOST_PAGES and len(client) <= _LONGEST_ID:
            self._looking.add(client)

    def look(self, client: str | None, connected: Any) -> bool:
        """Whether the page of a prompt looks; those that are gone are forgotten."""
        self._looking &= set(connected)
        return client in self._looking


# One for the process, as the server is one: requests and the thread that runs prompts meet here.
PAGES = Pages()


def live_channel(node_id: str | None) -> Callable[[], Send | None]:
    """Asks, whenever it is called, for the way to the page: None while nobody looks."""

    def ask() -> Send | None:
        server = running_server()
        if server is None or node_id is None or not PAGES.look(server.client_id, server.sockets):
            return None
        return lambda message: server.send_sync(EVENT, {"node": node_id, **message}, server.client_id)

    return ask
