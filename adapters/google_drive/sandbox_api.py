"""What every route of the Google Drive sandbox needs: who may do what, the shape of a file, and partial answers."""

import re
from datetime import UTC, datetime

from pydantic import JsonValue

from adapters._kit.sandbox_google import Ask, GoogleDesk, GoogleRefused, Shape, invalid
from adapters.google_drive.sandbox_state import (
    DRIVE,
    FILE,
    FOLDER,
    GOOGLE,
    METADATA,
    READONLY,
    SHORTCUT,
    File,
    Permission,
    World,
)

_ROLES = ("reader", "commenter", "writer", "owner")
_FIELD = re.compile(r"\s*([A-Za-z][A-Za-z0-9]*|\*)\s*([(/]?)")
_FEW = {"kind", "id", "name", "mimeType"}


class Room:
    """The files as one caller sees them."""

    def __init__(self, desk: GoogleDesk[World], ask: Ask) -> None:
        self.world, self._now, self.ask = desk.world, desk.now, ask
        self.root = desk.world.roots.get(ask.person.sub, "")

    def stamp(self) -> str:
        """Now, as Drive writes it."""
        return datetime.fromtimestamp(self._now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def sees(self, file: File) -> bool:
        """With `drive.file` alone only what was made through the API."""
        is_wide = bool(self.ask.scopes & {DRIVE, READONLY, METADATA})
        return bool(self.role(file)) and (is_wide or file.by_app)

    def role(self, file: File) -> str:
        """What the caller may do with it, by the file or a folder above; empty for nothing."""
        held = ""
        place: File | None = file
        while place is not None:
            for permission in place.permissions:
                is_theirs = permission.email == self.ask.person.email or permission.kind in ("anyone", "domain")
                if is_theirs and (not held or _ROLES.index(permission.role) > _ROLES.index(held)):
                    held = permission.role
            place = self.world.files.get(place.parent)
        return held

    def file(self, id: str) -> File:
        """A file the caller can see; raises GoogleRefused (404) for others and for none."""
        found = self.world.files.get(self.root if id == "root" else id)
        if found is None or not self.sees(found):
            raise GoogleRefused(404, "NOT_FOUND", f"File not found: {id}.", reason="notFound")
        return found

    def readable(self, id: str) -> File:
        """A file whose content the caller may have; raises GoogleRefused."""
        found = self.file(id)
        if not self.ask.scopes & {DRIVE, READONLY} and not (FILE in self.ask.scopes and found.by_app):
            message = "Request had insufficient authentication scopes."
            raise GoogleRefused(403, "PERMISSION_DENIED", message, reason="insufficientPermissions")
        return found

    def changeable(self, id: str, *roles: str) -> File:
        """A file the caller may change, and so may the application; raises GoogleRefused."""
        found = self.file(id)
        if DRIVE not in self.ask.scopes and not found.by_app:
            message = f"The user has not granted the app write access to the file {found.id}."
            raise GoogleRefused(403, "PERMISSION_DENIED", message, reason="appNotAuthorizedToFile")
        if self.role(found) not in (roles or ("writer", "owner")):
            message = "The user does not have sufficient permissions for this file."
            raise GoogleRefused(403, "PERMISSION_DENIED", message, reason="insufficientFilePermissions")
        return found

    def folder(self, id: str) -> File:
        """A folder to put something into; with `drive.file` the root, or one that was made through the API."""
        found = self.world.files.get(self.root if id == "root" else id)
        is_open = found is not None and (DRIVE in self.ask.scopes or found.by_app or found.id == self.root)
        if found is None or not is_open or not self.role(found):
            raise GoogleRefused(404, "NOT_FOUND", f"File not found: {id}.", reason="notFound")
        if found.media_type != FOLDER or self.role(found) not in ("writer", "owner"):
            raise GoogleRefused(403, "PERMISSION_DENIED", "The parent takes no files.", reason="parentNotAFolder")
        return found

    def shape(self, file: File) -> Shape:
        """A file as Drive tells it, all members."""
        owner = self.world.person(file.owner)
        told: Shape = {
            "kind": "drive#file",
            "id": file.id,
            "name": file.name,
            "mimeType": file.media_type,
            "starred": file.starred,
            "trashed": file.trashed,
            "createdTime": file.created_at,
            "modifiedTime": file.modified_at,
            "shared": len(file.permissions) > 1,
            "ownedByMe": file.owner == self.ask.person.sub,
            "webViewLink": f"https://drive.google.com/file/d/{file.id}/view",
            "capabilities": {"canEdit": self.role(file) in ("writer", "owner")},
            "permissions": [permission_shape(each) for each in file.permissions],
        }
        if owner is not None:
            told["owners"] = [{"kind": "drive#user", "displayName": owner.name, "emailAddress": owner.email}]
        if file.parent:
            told["parents"] = [file.parent]
        if file.description:
            told["description"] = file.description
        if file.app_properties:
            told["appProperties"] = {**file.app_properties}
        if file.media_type == SHORTCUT:
            told["shortcutDetails"] = {"targetId": file.target}
        if not file.media_type.startswith(GOOGLE):
            told |= {"size": str(len(file.content)), "md5Checksum": file.md5}
        return told

    def told(self, file: File) -> Shape:
        """As much of a file as the caller asked for with `fields`; few members without."""
        return masked(self.shape(file), self.ask.query("fields"), _FEW)


def permission_shape(permission: Permission) -> Shape:
    """A permission as Drive tells it."""
    told: Shape = {"kind": "drive#permission", "id": permission.id, "type": permission.kind, "role": permission.role}
    if permission.email:
        told["emailAddress"] = permission.email
    if permission.name:
        told["displayName"] = permission.name
    if permission.domain:
        told["domain"] = permission.domain
    if permission.kind in ("anyone", "domain"):
        told["allowFileDiscovery"] = permission.findable
    return told


def masked(told: Shape, fields: str, few: set[str]) -> Shape:
    """A partial answer; raises GoogleRefused (400) for a mask that cannot be read."""
    if not fields:
        return {name: value for name, value in told.items() if name in few}
    tree, rest = _mask(fields)
    if rest:
        raise invalid(f"Invalid field selection {fields[:60]}")
    return _cut(told, tree)


_Tree = dict[str, "_Tree"]


def _mask(text: str) -> tuple[_Tree, str]:
    found: _Tree = {}
    while True:
        match = _FIELD.match(text)
        if match is None:
            raise invalid("Invalid field selection")
        name, sign, text = match[1], match[2], text[match.end() :]
        inside: _Tree = {}
        if sign == "(":
            inside, text = _mask(text)
            if not text.startswith(")"):
                raise invalid("Invalid field selection")
            text = text[1:]
        elif sign == "/":
            part, _, text = text.partition(",")
            inside, _ = _mask(part)
            text = f",{text}" if text else ""
        found[name] = inside
        if not text.startswith(","):
            return found, text
        text = text[1:]


def _cut(told: Shape, tree: _Tree) -> Shape:
    if "*" in tree:
        return told
    return {name: _inside(told[name], tree[name]) for name in told if name in tree}


def _inside(value: JsonValue, tree: _Tree) -> JsonValue:
    if not tree:
        return value
    if isinstance(value, list):
        return [_inside(each, tree) for each in value]
    return _cut(value, tree) if isinstance(value, dict) else value
