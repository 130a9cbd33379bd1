"""OneDrive in the sandbox: folders, files, sharing. Content is handed out behind a redirect, as OneDrive does it."""

import base64
from urllib.parse import quote

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters._kit.sandbox import fingerprint
from adapters.microsoft365.sandbox_api import API, Answer, Ask, Refused, graph_route, invalid
from adapters.microsoft365.sandbox_state import Hub, Item, Permission, Shape, World

_WEB = "https://onedrive.example"


def file_routes(hub: Hub) -> list[Route]:
    """All of them. Those that name a path with something after it come first: a path takes all it can."""
    read, write = "Files.Read", "Files.ReadWrite"
    path, one = "/me/drive/root:/{path:path}", "/me/drive/items/{item}"

    async def handed_out(request: Request) -> Response:
        """Who knows the address gets the file: it carries no credential."""
        item = next((one for one in hub.world.items if _ticket(hub, one) == request.path_params["ticket"]), None)
        if item is None or item.content is None:
            return Response(status_code=404)
        return Response(base64.b64decode(item.content), media_type=item.media_type)

    return [
        graph_route(hub, "GET", "/me/drive/root/children", _children, read),
        graph_route(hub, "GET", "/me/drive/root/search(q='{words}')", _search, read),
        graph_route(hub, "GET", f"{path}:/children", _children, read),
        graph_route(hub, "PUT", f"{path}:/content", _upload, write),
        graph_route(hub, "GET", path, lambda ask: ask.one(item_shape(ask.world, _item(ask))), read),
        graph_route(hub, "GET", f"{one}/content", _content, read),
        graph_route(hub, "POST", f"{one}/invite", _invite, write),
        graph_route(hub, "POST", f"{one}/createLink", _create_link, write),
        graph_route(hub, "GET", one, lambda ask: ask.one(item_shape(ask.world, _item(ask))), read),
        Route(f"{API}/handed-out/{{ticket}}", handed_out, methods=["GET"]),
    ]


def item_shape(world: World, item: Item) -> Shape:
    """A file or folder as Graph writes it."""
    parents = _parents(world, item)
    shape: Shape = {
        "id": item.id,
        "name": item.name,
        "createdDateTime": item.at,
        "lastModifiedDateTime": item.at,
        "webUrl": f"{_WEB}/{quote(item.name)}",
        "parentReference": {"driveId": "b!sandbox", "driveType": "business", "id": item.parent, "path": parents},
    }
    if item.content is None:
        children = sum(one.parent == item.id for one in world.items)
        return {**shape, "size": 0, "folder": {"childCount": children}}
    return {**shape, "size": len(base64.b64decode(item.content)), "file": {"mimeType": item.media_type}}


def _parents(world: World, item: Item) -> str:
    names: list[str] = []
    above = _by_id(world, item.parent)
    while above is not None and above.parent is not None:
        names.insert(0, quote(above.name))
        above = _by_id(world, above.parent)
    return "/".join(["/drive/root:", *names])


def _by_id(world: World, item_id: str | None) -> Item | None:
    return next((one for one in world.items if one.id == item_id), None)


def _not_found() -> Refused:
    return Refused(404, "itemNotFound", "The resource could not be found.")


def _top(ask: Ask) -> Item:
    return next(one for one in ask.world.items if one.owner == ask.person.id and one.parent is None)


def _item(ask: Ask) -> Item:
    """The file or folder of the path, by id or by path; without either the top. Raises Refused."""
    parts = ask.request.path_params
    found: Item | None = _top(ask)
    if "item" in parts:
        found = _by_id(ask.world, ask.path("item"))
    for name in ask.path("path").split("/") if "path" in parts else ():
        found = _child(ask.world, found, name) if found else None
    if found is None or found.owner != ask.person.id:
        raise _not_found()
    return found


def _child(world: World, folder: Item, name: str) -> Item | None:
    """Names differ by more than letter case."""
    return next((one for one in world.items if one.parent == folder.id and one.name.lower() == name.lower()), None)


def _children(ask: Ask) -> Answer:
    folder = _item(ask)
    return ask.listed([item_shape(ask.world, one) for one in ask.world.items if one.parent == folder.id], default=200)


def _search(ask: Ask) -> Answer:
    words = ask.path("words").replace("''", "'").lower().split()
    mine = [one for one in ask.world.items if one.owner == ask.person.id and one.parent is not None]
    found = [one for one in mine if all(word in _searchable(one) for word in words)]
    return ask.listed([item_shape(ask.world, one) for one in found], default=200)


def _searchable(item: Item) -> str:
    text = base64.b64decode(item.content or "").decode("utf-8", "replace") if "text" in item.media_type else ""
    return f"{item.name} {text}".lower()


def _ticket(hub: Hub, item: Item) -> str:
    return fingerprint(hub.world.oauth.signing_key + item.id)[:40]


def _content(ask: Ask) -> Answer:
    item = _item(ask)
    if item.content is None:
        raise Refused(400, "invalidRequest", "A folder has no content.")
    return Answer(status=302, headers={"Location": f"{ask.root}/handed-out/{_ticket(ask.hub, item)}"})


def _upload(ask: Ask) -> Answer:
    *folders, name = ask.path("path").split("/")
    folder = _top(ask)
    for each in folders:
        below = _child(ask.world, folder, each)
        if below is None:
            below = _added(ask, folder, each)
        folder = below
    known, status = _child(ask.world, folder, name), 200
    if known is not None and ask.query("@microsoft.graph.conflictBehavior", "replace") == "fail":
        raise Refused(409, "nameAlreadyExists", "The specified item name already exists.")
    if known is None:
        status = 201
        known = _added(ask, folder, name)
    elif known.content is None:
        raise Refused(409, "nameAlreadyExists", "There is a folder of this name.")
    known.content, known.at = base64.b64encode(ask.raw).decode(), ask.hub.stamp()
    known.media_type = ask.request.headers.get("content-type", known.media_type)
    return Answer(item_shape(ask.world, known), status)


def _added(ask: Ask, folder: Item, name: str) -> Item:
    number = ask.world.new_id("item").strip("=")
    made = Item(id=number, owner=ask.person.id, name=name, parent=folder.id, at=ask.hub.stamp())
    ask.world.items.append(made)
    return made


def _invite(ask: Ask) -> Answer:
    item, told, roles = _item(ask), ask.body.get("recipients"), ask.body.get("roles")
    if not isinstance(told, list) or not told or not isinstance(roles, list):
        raise invalid("Recipients and roles are needed.")
    given: list[JsonValue] = []
    for each in told:
        address = str(each.get("email")) if isinstance(each, dict) else ""
        permission = Permission(id=ask.world.new_id("perm"), roles=[str(role) for role in roles], people=[address])
        item.permissions.append(permission)
        given.append({**_permission_shape(permission), "invitation": {"email": address, "signInRequired": True}})
    return Answer({"value": given})


def _create_link(ask: Ask) -> Answer:
    item, kind, scope = _item(ask), ask.text("type", "view"), ask.text("scope", "organization")
    if kind not in ("view", "edit") or scope not in ("organization", "anonymous"):
        raise Refused(400, "invalidRequest", "The link is of no known kind.")
    known = next((one for one in item.permissions if (one.link_type, one.link_scope) == (kind, scope)), None)
    if known is not None:
        return Answer(_permission_shape(known))
    role, until = ("read" if kind == "view" else "write"), ask.text("expirationDateTime") or None
    made = Permission(id=ask.world.new_id("perm"), roles=[role], link_type=kind, link_scope=scope, expires_at=until)
    item.permissions.append(made)
    return Answer(_permission_shape(made), 201)


def _permission_shape(permission: Permission) -> Shape:
    shape: Shape = {"id": permission.id, "roles": [*permission.roles]}
    if permission.link_type:
        place = f"{_WEB}/:f:/s/{permission.id.strip('=')}"
        shape["link"] = {"type": permission.link_type, "scope": permission.link_scope, "webUrl": place}
    if permission.expires_at:
        shape["expirationDateTime"] = permission.expires_at
    return shape
