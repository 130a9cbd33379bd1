"""A run that stops at its first request: what would be sent, seen without sending it."""

import json
from collections.abc import Awaitable
from typing import NoReturn, cast

from adapters._kit.http import Outgoing
from domain.json import Json, JsonObject

_LARGEST_BODY = 100_000


class _Stopped(Exception):
    """The first request, caught on its way out. Not a ProviderProblem, so that no action takes it for an answer."""

    def __init__(self, outgoing: Outgoing) -> None:
        super().__init__("a preview does not send")
        self.outgoing = outgoing


class Showing:
    """Implements `http.Transport` by never sending anything."""

    async def send(self, request: Outgoing, *, total_seconds: float | None = None) -> NoReturn:  # noqa: ARG002
        """Stops the run."""
        raise _Stopped(request)

    async def aclose(self) -> None:
        """There is nothing to close."""


async def first_request(run: Awaitable[Json]) -> JsonObject | None:
    """Method, URL and body of the first request that this run makes; None when it makes none, or cannot be told."""
    try:
        await run
    except _Stopped as stopped:
        return _shown(stopped.outgoing)
    except Exception:  # noqa: BLE001 - whatever an action needs that a preview has not: then there is nothing to show
        return None
    return None


def _shown(outgoing: Outgoing) -> JsonObject:
    shown: dict[str, Json] = {"method": outgoing.method, "url": outgoing.url}
    if outgoing.body is not None:
        shown["body"] = _body(outgoing.body)
    return shown


def _body(body: bytes) -> Json:
    try:
        return cast(Json, json.loads(body)) if len(body) <= _LARGEST_BODY else f"{len(body)} bytes"
    except ValueError:
        pass
    try:
        return body.decode()
    except UnicodeDecodeError:
        return f"{len(body)} bytes"
