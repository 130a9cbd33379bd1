"""Files in the Slack sandbox: an upload in three steps, and the list. Contents are counted, not kept."""

import json
import mimetypes
import secrets

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox_oauth import same
from adapters.slack.sandbox_api import Ask, Method, Refused, Shape
from adapters.slack.sandbox_messages import post
from adapters.slack.sandbox_state import File, Hub

_LARGEST_BYTES = 64 * 1024 * 1024


def file_methods() -> dict[str, Method]:
    """All methods of this module."""
    return {
        "files.list": Method(list_all, ("files:read",)),
        "files.getUploadURLExternal": Method(begin, ("files:write",), writes=True),
        "files.completeUploadExternal": Method(complete, ("files:write",), writes=True),
    }


def upload_route(hub: Hub) -> Route:
    """Where the bytes go: the address is the permission."""

    async def receive(request: Request) -> Response:
        id = request.path_params["file"]
        file = next((one for one in hub.world.files if one.id == id and not one.completed), None)
        if file is None or not same(file.key, request.path_params["key"]):
            return PlainTextResponse("Not found", 404)
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > _LARGEST_BYTES:
                return PlainTextResponse("Too large", 413)
        file.received = size
        hub.file.save(hub.world)
        return PlainTextResponse(f"OK - {size}")

    return Route("/upload/v1/{file}/{key}", receive, methods=["POST"])


def list_all(ask: Ask) -> Shape:
    """files.list: newest first, in channels the caller is in."""
    world = ask.hub.world
    seen = {one.id for one in world.channels if ask.user in one.members}
    kept = [
        one for one in reversed(world.files) if one.completed and (set(one.channels) & seen or one.user == ask.user)
    ]
    if channel := ask.text("channel"):
        kept = [one for one in kept if channel in one.channels]
    if user := ask.text("user"):
        kept = [one for one in kept if one.user == user]
    page, paging = ask.numbered(kept, 1000)
    return {"files": [file_shape(ask, one) for one in page], "paging": paging}


def begin(ask: Ask) -> Shape:
    """files.getUploadURLExternal"""
    world, name = ask.hub.world, ask.needed("filename")
    length = ask.number("length", 0, _LARGEST_BYTES) if ask.text("length") else 0
    if not length:
        raise Refused("invalid_arguments")
    file = File(
        id=world.new_id("F"),
        name=name,
        title=name,
        user=ask.user,
        length=length,
        created=int(ask.hub.now()),
        key=secrets.token_urlsafe(16),
    )
    world.files.append(file)
    return {"upload_url": f"{ask.root}/upload/v1/{file.id}/{file.key}", "file_id": file.id}


def complete(ask: Ask) -> Shape:
    """files.completeUploadExternal: shares what has arrived, with a message when there is a channel."""
    files = [_arrived(ask, each) for each in _asked(ask)]
    told = ask.text("channel_id")
    channel = None
    if told:
        channel = ask.hub.world.channel(told)
        if channel is None or ask.user not in channel.members:
            raise Refused("channel_not_found" if channel is None else "not_in_channel")
    for file, title in files:
        file.completed, file.title = True, title or file.title
        file.channels += [channel.id] if channel else []
    if channel is not None:
        message = post(ask.hub, channel, ask.user, ask.text("initial_comment"), thread_ts=ask.text("thread_ts"))
        message.files = [file.id for file, _ in files]
    shapes: list[JsonValue] = [{"id": file.id, "title": file.title} for file, _ in files]
    return {"files": shapes}


def _asked(ask: Ask) -> list[Shape]:
    try:
        told = json.loads(ask.needed("files"))
    except (ValueError, RecursionError):
        raise Refused("invalid_arguments") from None
    if not isinstance(told, list) or not told or not all(isinstance(each, dict) for each in told):
        raise Refused("invalid_arguments")
    return told


def _arrived(ask: Ask, told: Shape) -> tuple[File, str]:
    file = next((one for one in ask.hub.world.files if one.id == told.get("id") and one.user == ask.user), None)
    if file is None or file.completed or file.received != file.length:
        raise Refused("file_not_found" if file is None else "file_update_failed")
    title = told.get("title")
    return file, title if isinstance(title, str) else ""


def file_shape(ask: Ask, file: File) -> Shape:
    """A file object."""
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return {
        "id": file.id,
        "created": file.created,
        "timestamp": file.created,
        "name": file.name,
        "title": file.title,
        "mimetype": kind,
        "filetype": file.name.rpartition(".")[2] or "binary",
        "pretty_type": kind,
        "user": file.user,
        "mode": "hosted",
        "editable": False,
        "is_external": False,
        "is_public": bool(file.channels),
        "size": file.length,
        "permalink": f"{ask.root}/files/{file.user}/{file.id}/{file.name}",
        "channels": [*file.channels],
        "groups": [],
        "ims": [],
        "comments_count": 0,
    }
