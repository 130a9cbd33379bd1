"""Who may open a file: seen, given, taken back."""

from typing import Final, Literal

from adapters._kit import Annotated, Call, Effect, Field, action, given
from adapters.google_drive.parameters import EVERYWHERE, ONE_FILE, OWN_FILES, Email, FileId, PermissionId, Role
from adapters.google_drive.results import Permission
from domain.json import Json

_PERMISSIONS: Final = ONE_FILE + "/permissions"
_FIELDS: Final = "id,type,role,emailAddress,displayName,domain,allowFileDiscovery,expirationTime"


@action(effect=Effect.READ, scopes=OWN_FILES)
async def list_permissions(
    call: Call,
    *,
    file_id: FileId,
    limit: Annotated[int, Field(description="How many to return at most.", ge=1, le=100)] = 100,
) -> list[Permission]:
    """List who may open a file, and what they may do.

    With the ids that unshare_file takes.
    """
    query = {"fields": f"nextPageToken,permissions({_FIELDS})", **EVERYWHERE}
    found = await call.pages(_PERMISSIONS, limit=limit, items="permissions", query=query, file_id=file_id)
    return [Permission.of(each) for each in found]


@action(effect=Effect.WRITE, scopes=OWN_FILES, look_for="this person among those the file is shared with")
async def share_file(
    call: Call,
    *,
    file_id: FileId,
    email: Annotated[Email, Field(description="E-mail address of the person or group.")],
    role: Role = "reader",
    is_group: Annotated[bool, Field(description="Whether the address is that of a Google group.")] = False,
    notify: Annotated[bool, Field(description="Whether Google sends them an e-mail about it.")] = True,
    message: Annotated[
        str | None, Field(description="Words to put into that e-mail, as plain text.", max_length=2000)
    ] = None,
) -> Permission:
    """Share a file or folder with a person or a group.

    With a folder goes all that is in it. Doing it twice shares it once, with the later role, but notifies twice. Works
    on files that were made with this connection, and on all others when it may change the whole Drive (as move_file and
    trash_file ask for). Everybody: share_file_with_everyone.
    """
    told: Json = {"type": "group" if is_group else "user", "role": role, "emailAddress": email}
    query = {"sendNotificationEmail": notify, "emailMessage": message if notify else None}
    return await _allow(call, file_id, told, query)


@action(effect=Effect.DESTRUCTIVE, scopes=OWN_FILES, idempotent=True, look_for="who the file is shared with")
async def share_file_with_everyone(
    call: Call,
    *,
    file_id: FileId,
    role: Role = "reader",
    domain: Annotated[
        str | None,
        Field(
            description="Only everybody of this organisation, by its domain, such as `example.com`.",
            pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$",
            max_length=253,
        ),
    ] = None,
    is_findable: Annotated[bool, Field(description="Also for those who do not have the link, by search.")] = False,
) -> Permission:
    """Make a file public: share it with everyone who has the link.

    Or with everybody of one organisation. What has once been public may have been copied: it cannot be made unseen. An
    organisation may forbid it. Taken back with unshare_file.
    """
    kind: Literal["domain", "anyone"] = "domain" if domain else "anyone"
    return await _allow(call, file_id, given(type=kind, role=role, domain=domain, allowFileDiscovery=is_findable), {})


@action(effect=Effect.DESTRUCTIVE, scopes=OWN_FILES, look_for="who the file is still shared with")
async def unshare_file(call: Call, *, file_id: FileId, permission_id: PermissionId) -> None:
    """Stop sharing a file with somebody.

    They lose access at once. What comes from a folder above has to be taken back there. Not found when it is gone
    already.
    """
    path = _PERMISSIONS + "/{permission_id}"
    await call.send("DELETE", path, query=EVERYWHERE, file_id=file_id, permission_id=permission_id)


async def _allow(call: Call, file_id: str, told: Json, query: dict[str, str | bool | None]) -> Permission:
    asked = {**query, "fields": _FIELDS, **EVERYWHERE}
    return Permission.of((await call.post(_PERMISSIONS, json=told, query=asked, file_id=file_id)).json)
