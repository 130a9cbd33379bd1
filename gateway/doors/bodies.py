"""Bodies of requests: read whole before anything else looks at them, and never more than is allowed."""

from typing import Final

from starlette.types import Message, Receive

LARGEST_BODY_BYTES: Final = 1_048_576


async def bounded_body(receive: Receive) -> bytes | None:
    """The whole body; None when it is larger than is read."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY_BYTES:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def replayed(body: bytes, receive: Receive) -> Receive:
    """The body once more, for whoever reads next."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
