"""Permissions of the Google Drive sandbox. E-mails about them are noted, never sent."""

from hashlib import sha256

from pydantic import JsonValue
from starlette.responses import Response
from starlette.routing import Route

from adapters._kit.sandbox_google import Ask, GoogleDesk, GoogleRefused, Shape
from adapters.google_drive.sandbox_api import Room, masked, permission_shape
from adapters.google_drive.sandbox_state import DRIVE, FILE, METADATA, READONLY, File, Permission, World

_ROLES = ("reader", "commenter", "writer")
_FEW = {"kind", "id", "type", "role"}


class Sharing:
    """The routes about who may open a file."""

    def __init__(self, desk: GoogleDesk[World]) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """All of them."""
        many = "/drive/v3/files/{file}/permissions"
        return [
            self._desk.route("GET", many, self.list, DRIVE, READONLY, METADATA, FILE),
            self._desk.route("POST", many, self.create, DRIVE, FILE),
            self._desk.route("DELETE", many + "/{permission}", self.delete, DRIVE, FILE),
        ]

    def list(self, ask: Ask) -> Shape:
        """GET permissions: by those who may change the file."""
        room = Room(self._desk, ask)
        file = room.file(ask.path("file"))
        if room.role(file) not in ("writer", "owner"):
            raise _refused("insufficientFilePermissions")
        shapes: list[JsonValue] = [permission_shape(each) for each in file.permissions]
        page = ask.page(shapes, ask.number("pageSize", 100, 100), "permissions")
        fields = ask.query("fields") or "kind,nextPageToken,permissions(kind,id,type,role)"
        return masked({"kind": "drive#permissionList", **page}, fields, set())

    def create(self, ask: Ask) -> Shape:
        """POST permissions: for somebody who has one already, the role changes."""
        room, told = Room(self._desk, ask), ask.body()
        file = room.changeable(ask.path("file"))
        permission = self._permission(told)
        if ask.query("sendNotificationEmail") and permission.kind not in ("user", "group"):
            raise _invalid("sendNotificationEmail")
        held = next((each for each in file.permissions if each.id == permission.id), None)
        if held is not None and held.role == "owner":
            raise _refused("cannotModifyOwnerPermission")
        if held is None:
            file.permissions.append(permission)
        else:
            held.role, held.findable = permission.role, permission.findable
        self._notify(ask, file, permission)
        return masked(permission_shape(permission), ask.query("fields"), _FEW)

    def delete(self, ask: Ask) -> Response:
        """DELETE permissions/{permission}: the owner's stays."""
        file = Room(self._desk, ask).changeable(ask.path("file"))
        held = next((each for each in file.permissions if each.id == ask.path("permission")), None)
        if held is None:
            message = f"Permission not found: {ask.path('permission')}."
            raise GoogleRefused(404, "NOT_FOUND", message, reason="notFound")
        if held.role == "owner":
            raise _refused("cannotModifyOwnerPermission")
        file.permissions.remove(held)
        return Response(status_code=204)

    def _permission(self, told: Shape) -> Permission:
        kind, role = told.get("type"), told.get("role")
        email, domain = str(told.get("emailAddress") or ""), str(told.get("domain") or "")
        if role not in _ROLES or kind not in ("user", "group", "domain", "anyone"):
            raise _invalid("role or type")
        if bool(email) != (kind in ("user", "group")) or bool(domain) != (kind == "domain"):
            raise _invalid("emailAddress or domain")
        person = next((one for one in self._desk.world.people if one.email == email), None)
        known = f"0{person.sub}" if person else sha256(f"{email}{domain}".encode()).hexdigest()[:20]
        return Permission(
            id="anyoneWithLink" if kind == "anyone" else known,
            kind=str(kind),
            role=str(role),
            email=email,
            name=person.name if person else email or domain,
            domain=domain,
            findable=told.get("allowFileDiscovery") is True,
        )

    def _notify(self, ask: Ask, file: File, permission: Permission) -> None:
        if permission.email and ask.query("sendNotificationEmail", "true") == "true":
            mail: dict[str, JsonValue] = {"to": permission.email, "file": file.id, "text": ask.query("emailMessage")}
            self._desk.world.mails.append(mail)


def _refused(reason: str) -> GoogleRefused:
    message = "The user does not have sufficient permissions for this file."
    return GoogleRefused(403, "PERMISSION_DENIED", message, reason=reason)


def _invalid(what: str) -> GoogleRefused:
    return GoogleRefused(400, "INVALID_ARGUMENT", f"Invalid value for {what}.", reason="invalid")
