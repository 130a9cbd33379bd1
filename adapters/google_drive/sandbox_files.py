"""Files of the Google Drive sandbox: found, read, made, changed, copied, removed."""

import json
import re
from collections.abc import Callable

from pydantic import JsonValue
from starlette.responses import Response
from starlette.routing import Route

from adapters._kit.sandbox_google import Ask, GoogleDesk, GoogleRefused, Shape, invalid
from adapters.google_drive.sandbox_api import Room, masked
from adapters.google_drive.sandbox_query import Looker, question
from adapters.google_drive.sandbox_state import (
    DOCUMENT,
    DRIVE,
    FILE,
    FOLDER,
    METADATA,
    PRESENTATION,
    READONLY,
    SPREADSHEET,
    File,
    World,
    owner_permission,
)

_ANY = (DRIVE, READONLY, METADATA, FILE)
_EXPORTS = {
    DOCUMENT: ("text/markdown", "text/plain", "text/html", "application/pdf"),
    SPREADSHEET: ("text/csv", "application/pdf"),
    PRESENTATION: ("text/plain", "application/pdf"),
}
_IMPORTS = (DOCUMENT, SPREADSHEET, PRESENTATION)
_BOUNDARY = re.compile(r'multipart/related;.*boundary="?([^";]{1,70})"?', re.IGNORECASE)


def file_routes(desk: GoogleDesk[World]) -> list[Route]:
    """All routes of this module."""
    files, one, upload = "/drive/v3/files", "/drive/v3/files/{file}", "/upload/drive/v3/files"

    def at(handler: Callable[[Room], Shape | Response]) -> Callable[[Ask], Shape | Response]:
        return lambda ask: handler(Room(desk, ask))

    return [
        desk.route("GET", "/drive/v3/about", at(_about), *_ANY),
        desk.route("GET", files, at(_list), *_ANY),
        desk.route("POST", files, at(_create), DRIVE, FILE),
        desk.route("GET", f"{files}/generateIds", at(_generate), DRIVE, FILE),
        desk.route("GET", one, at(_get), *_ANY),
        desk.route("PATCH", one, at(_update), DRIVE, FILE),
        desk.route("DELETE", one, at(_delete), DRIVE, FILE),
        desk.route("POST", f"{one}/copy", at(_copy), DRIVE, FILE),
        desk.route("GET", f"{one}/export", at(_export), DRIVE, READONLY, FILE),
        desk.route("POST", upload, at(_upload), DRIVE, FILE),
        desk.route("PATCH", f"{upload}/{{file}}", at(_replace), DRIVE, FILE),
    ]


def _about(room: Room) -> Shape:
    """GET about: `fields` is needed here."""
    person, fields = room.ask.person, room.ask.query("fields")
    if not fields:
        raise GoogleRefused(400, "INVALID_ARGUMENT", "The 'fields' parameter is required.", reason="required")
    used = sum(len(each.content) for each in room.world.files.values() if each.owner == person.sub)
    user: Shape = {"kind": "drive#user", "displayName": person.name, "emailAddress": person.email, "me": True}
    user["permissionId"] = f"0{person.sub}"
    quota: Shape = {"limit": "16106127360", "usage": str(used), "usageInDrive": str(used), "usageInDriveTrash": "0"}
    return masked({"kind": "drive#about", "user": user, "storageQuota": quota}, fields, set())


def _list(room: Room) -> Shape:
    """GET files: `q`, `orderBy`, `pageSize`, `pageToken`. Roots are not listed."""
    owners = {person.sub: person.email for person in room.world.people}
    fits = question(room.ask.query("q"), Looker(room.ask.person.email, room.root, owners))
    found = [each for each in room.world.files.values() if each.parent and room.sees(each) and fits(each)]
    for key in reversed([part.strip() for part in room.ask.query("orderBy").split(",") if part.strip()]):
        name, _, direction = key.partition(" ")
        found.sort(key=_sorting(name), reverse=direction == "desc")
    shapes: list[JsonValue] = [room.shape(each) for each in found]
    page = room.ask.page(shapes, room.ask.number("pageSize", 100, 1000), "files")
    told: Shape = {"kind": "drive#fileList", "incompleteSearch": False, "files": [], **page}
    fields = room.ask.query("fields") or "kind,incompleteSearch,nextPageToken,files(kind,id,name,mimeType)"
    return masked(told, fields, set())


def _sorting(name: str) -> Callable[[File], str | int]:
    ways: dict[str, Callable[[File], str | int]] = {
        "folder": lambda file: int(file.media_type != FOLDER),
        "name": lambda file: file.name,
        "name_natural": lambda file: file.name.lower(),
        "modifiedTime": lambda file: file.modified_at,
        "createdTime": lambda file: file.created_at,
        "quotaBytesUsed": lambda file: len(file.content),
    }
    if name not in ways:
        raise GoogleRefused(400, "INVALID_ARGUMENT", "Invalid Value", reason="invalid")
    return ways[name]


def _generate(room: Room) -> Shape:
    """GET files/generateIds"""
    ids = [room.world.new_id() for _ in range(room.ask.number("count", 10, 1000))]
    room.world.unused_ids += ids
    return {"kind": "drive#generatedIds", "space": "drive", "ids": [*ids]}


def _get(room: Room) -> Shape | Response:
    """GET files/{file}: what is said about it, or with `alt=media` what is in it."""
    if room.ask.query("alt") != "media":
        return room.told(room.file(room.ask.path("file")))
    file = room.readable(room.ask.path("file"))
    if file.is_google:
        message = "Only files with binary content can be downloaded. Use Export with Docs Editors files."
        raise GoogleRefused(403, "PERMISSION_DENIED", message, reason="fileNotDownloadable")
    return Response(file.content, media_type=file.media_type)


def _export(room: Room) -> Response:
    """GET files/{file}/export: text formats as they are kept, PDF as a stand-in; no Office formats."""
    file, wanted = room.readable(room.ask.path("file")), room.ask.query("mimeType")
    if not wanted:
        raise GoogleRefused(400, "INVALID_ARGUMENT", "Required parameter: mimeType", reason="required")
    if not file.is_google:
        message = "Export only supports Docs Editors files."
        raise GoogleRefused(403, "PERMISSION_DENIED", message, reason="fileNotExportable")
    if wanted not in _EXPORTS.get(file.media_type, ()):
        message = "The requested conversion is not supported."
        raise GoogleRefused(400, "INVALID_ARGUMENT", message, reason="badRequest")
    content = b"%PDF-1.4\n% made up by a sandbox\n" if wanted == "application/pdf" else file.content
    return Response(content, headers={"content-type": wanted})


def _create(room: Room) -> Shape:
    """POST files: folders, Google's own files, empty ones."""
    return room.told(_made(room, room.ask.body(), b""))


def _upload(room: Room) -> Shape:
    """POST upload files, `uploadType=multipart` only."""
    if room.ask.query("uploadType") != "multipart":
        raise invalid("The sandbox takes multipart uploads only.")
    told, kind, content = _parts(room.ask)
    told.setdefault("mimeType", kind)
    return room.told(_made(room, told, content))


def _replace(room: Room) -> Shape:
    """PATCH upload files/{file}, `uploadType=media` only."""
    file = room.changeable(room.ask.path("file"))
    if room.ask.query("uploadType") != "media" or file.media_type == FOLDER:
        raise invalid("The sandbox takes media uploads to files only.")
    file.write(room.ask.raw, room.stamp())
    if not file.is_google:
        file.media_type = room.ask.request.headers.get("content-type", file.media_type).partition(";")[0]
    return room.told(file)


def _made(room: Room, told: Shape, content: bytes) -> File:
    world, sub = room.world, room.ask.person.sub
    name, kind = str(told.get("name") or "Untitled"), str(told.get("mimeType") or "application/octet-stream")
    id = _new_id(room, told.get("id"), is_converted=bool(content) and kind in _IMPORTS)
    marks = told.get("appProperties")
    file = File(
        id=id,
        name=name,
        media_type=kind,
        owner=sub,
        parent=_parent(room, told),
        description=str(told.get("description") or ""),
        created_at=room.stamp(),
        by_app=True,
        app_properties={key: str(value) for key, value in marks.items()} if isinstance(marks, dict) else {},
    )
    file.write(content, room.stamp())
    return world.add(file, owner_permission(world, sub))


def _new_id(room: Room, asked: JsonValue, *, is_converted: bool) -> str:
    """An id given out by generateIds, once; or a new one."""
    if asked is None:
        return room.world.new_id()
    if asked in room.world.files:
        raise GoogleRefused(409, "ALREADY_EXISTS", "A file already exists with the provided ID.", reason="fileIdInUse")
    if not isinstance(asked, str) or asked not in room.world.unused_ids or is_converted:
        raise GoogleRefused(400, "INVALID_ARGUMENT", "The provided file ID is not usable.", reason="invalid")
    room.world.unused_ids.remove(asked)
    return asked


def _parent(room: Room, told: Shape) -> str:
    parents = told.get("parents")
    if not isinstance(parents, list) or not parents:
        return room.root
    if len(parents) > 1:
        raise GoogleRefused(403, "PERMISSION_DENIED", "A file has one parent.", reason="multipleParentsNotAllowed")
    return room.folder(str(parents[0])).id


def _copy(room: Room) -> Shape:
    """POST files/{file}/copy"""
    file, told = room.readable(room.ask.path("file")), room.ask.body()
    if file.media_type == FOLDER:
        raise GoogleRefused(403, "PERMISSION_DENIED", "This file cannot be copied.", reason="cannotCopyFile")
    parents: JsonValue = told.get("parents") or [file.parent if room.role(file) == "owner" else room.root]
    name = told.get("name") or f"Copy of {file.name}"
    more: Shape = {"name": name, "mimeType": file.media_type, "parents": parents, "description": file.description}
    copy = _made(room, {**more, "appProperties": told.get("appProperties")}, b"")
    copy.write(file.content, room.stamp())
    return room.told(copy)


def _update(room: Room) -> Shape:
    """PATCH files/{file}: name, description, star, trash, folder."""
    told, file = room.ask.body(), room.changeable(room.ask.path("file"))
    added, removed = room.ask.query("addParents"), room.ask.query("removeParents")
    if "trashed" in told and room.role(file) != "owner":
        message = "The user does not have sufficient permissions for this file."
        raise GoogleRefused(403, "PERMISSION_DENIED", message, reason="insufficientFilePermissions")
    if added:
        file.parent = room.folder(added).id
    elif removed and removed == file.parent:
        file.parent = room.root
    file.name, file.description = str(told.get("name", file.name)), str(told.get("description", file.description))
    file.starred, file.trashed = told.get("starred", file.starred) is True, told.get("trashed", file.trashed) is True
    if "name" in told or "description" in told:
        file.modified_at = room.stamp()
    return room.told(file)


def _delete(room: Room) -> Response:
    """DELETE files/{file}: with all below it; the root stays."""
    file = room.changeable(room.ask.path("file"), "owner")
    if not file.parent:
        raise GoogleRefused(403, "PERMISSION_DENIED", "The root stays.", reason="insufficientFilePermissions")
    doomed = {file.id}
    while below := {each.id for each in room.world.files.values() if each.parent in doomed} - doomed:
        doomed |= below
    for id in doomed:
        del room.world.files[id]
    return Response(status_code=204)


def _parts(ask: Ask) -> tuple[Shape, str, bytes]:
    """The two parts of a multipart/related body (RFC 2387): JSON, then content with its type."""
    found = _BOUNDARY.match(ask.request.headers.get("content-type", ""))
    parts = ask.raw.split(b"--" + found[1].encode()) if found else []
    if len(parts) != 4 or parts[3].strip() != b"--":
        raise invalid("Malformed multipart body.")
    told, content = (_part(part) for part in parts[1:3])
    try:
        shape = json.loads(told[1])
    except ValueError:
        shape = None
    if not isinstance(shape, dict):
        raise invalid("Invalid JSON payload received.")
    return shape, content[0], content[1]


def _part(raw: bytes) -> tuple[str, bytes]:
    head, _, body = raw.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    kind = re.search(rb"content-type:\s*([^\s;]+)", head, re.IGNORECASE)
    return kind[1].decode() if kind else "application/octet-stream", body.removesuffix(b"\r\n")
