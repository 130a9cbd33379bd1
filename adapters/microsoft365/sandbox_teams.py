"""Teams in the sandbox: channels and chats."""

from pydantic import JsonValue
from starlette.routing import Route

from adapters.microsoft365.sandbox_api import Answer, Ask, Refused, graph_route
from adapters.microsoft365.sandbox_state import Chat, Hub, Person, Said, Shape, Team, World

_WEB = "https://teams.example/l"


def teams_routes(hub: Hub) -> list[Route]:
    """All of them."""
    channel = "/teams/{team}/channels/{channel}/messages"
    return [
        graph_route(hub, "GET", "/me/joinedTeams", _teams, "Team.ReadBasic.All"),
        graph_route(hub, "GET", "/teams/{team}/channels", _channels, "Channel.ReadBasic.All"),
        graph_route(hub, "POST", channel, _post, "ChannelMessage.Send"),
        graph_route(hub, "POST", channel + "/{message}/replies", _post, "ChannelMessage.Send"),
        graph_route(hub, "GET", "/me/chats", _chats, "Chat.ReadBasic"),
        graph_route(hub, "POST", "/chats", _begin, "Chat.Create"),
        graph_route(hub, "GET", "/chats/{chat}/messages", _read, "Chat.Read"),
        graph_route(hub, "POST", "/chats/{chat}/messages", _say, "ChatMessage.Send"),
    ]


def _not_found() -> Refused:
    return Refused(404, "NotFound", "No such thing, or it is not for you to see.")


def _team(ask: Ask) -> Team:
    found = next((one for one in ask.world.teams if one.id == ask.path("team")), None)
    if found is None or ask.person.id not in found.members:
        raise _not_found()
    return found


def _chat(ask: Ask) -> Chat:
    found = next((one for one in ask.world.chats if one.id == ask.path("chat")), None)
    if found is None or ask.person.id not in found.members:
        raise _not_found()
    return found


def _teams(ask: Ask) -> Answer:
    if set(ask.request.query_params) - {"$select"}:
        raise Refused(400, "BadRequest", "This method does not support these query parameters.")
    mine = [one for one in ask.world.teams if ask.person.id in one.members]
    shapes: list[JsonValue] = [
        {"id": one.id, "displayName": one.name, "description": one.description, "isArchived": False} for one in mine
    ]
    return Answer({"@odata.context": f"{ask.root}/$metadata#teams", "@odata.count": len(shapes), "value": shapes})


def _channels(ask: Ask) -> Answer:
    team = _team(ask)
    return ask.listed(
        [
            {
                "id": one.id,
                "displayName": one.name,
                "description": None,
                "membershipType": "standard",
                "webUrl": f"{_WEB}/channel/{one.id}",
            }
            for one in ask.world.channels
            if one.team == team.id
        ]
    )


def _post(ask: Ask) -> Answer:
    team = _team(ask)
    channel = next((one for one in ask.world.channels if (one.id, one.team) == (ask.path("channel"), team.id)), None)
    below = ask.request.path_params.get("message")
    if channel is None or (below is not None and not _is_first(ask.world, channel.id, below)):
        raise _not_found()
    said = _said(ask, channel.id, below)
    identity: Shape = {"teamId": team.id, "channelId": channel.id}
    return Answer({**_shape(ask.world, said), "channelIdentity": identity}, 201)


def _is_first(world: World, place: str, message: str) -> bool:
    return any((one.place, one.id, one.below) == (place, message, None) for one in world.said)


def _chats(ask: Ask) -> Answer:
    mine = [one for one in ask.world.chats if ask.person.id in one.members]
    shapes = [_chat_shape(ask.world, one, with_members=ask.query("$expand") == "members") for one in mine]
    return ask.listed(shapes, most=50, default=20)


def _chat_shape(world: World, chat: Chat, *, with_members: bool) -> Shape:
    shape: Shape = {
        "id": chat.id,
        "topic": chat.topic,
        "chatType": chat.kind,
        "createdDateTime": chat.at,
        "lastUpdatedDateTime": chat.at,
        "webUrl": f"{_WEB}/chat/{chat.id}",
    }
    if with_members:
        people = [person for each in chat.members if (person := world.person(each))]
        shape["members"] = [_member(person) for person in people]
    return shape


def _member(person: Person) -> Shape:
    kind = "#microsoft.graph.aadUserConversationMember"
    return {"@odata.type": kind, "id": f"member-{person.id}", "displayName": person.name, "email": person.mail}


def _begin(ask: Ask) -> Answer:
    """A chat of two: the one there is, or a new one."""
    told = ask.body.get("members")
    people = [_bound(ask.world, each) for each in told] if isinstance(told, list) else []
    if ask.text("chatType") != "oneOnOne" or len(people) != 2 or ask.person not in people:
        raise Refused(400, "BadRequest", "A chat of two needs its two members, the caller among them.")
    members = sorted(person.id for person in people)
    known = next((one for one in ask.world.chats if one.kind == "oneOnOne" and sorted(one.members) == members), None)
    if known is None:
        chat_id = f"19:{members[0]}_{members[1]}@unq.gbl.spaces"
        known = Chat(id=chat_id, kind="oneOnOne", topic=None, members=members, at=ask.hub.stamp())
        ask.world.chats.append(known)
    return Answer(_chat_shape(ask.world, known, with_members=False), 201)


def _bound(world: World, told: JsonValue) -> Person:
    address = str(told.get("user@odata.bind")) if isinstance(told, dict) else ""
    named = address.partition("/users('")[2].removesuffix("')").replace("''", "'")
    person = world.person(named)
    if person is None:
        raise _not_found()
    return person


def _read(ask: Ask) -> Answer:
    chat = _chat(ask)
    said = [one for one in ask.world.said if one.place == chat.id]
    return ask.listed([{**_shape(ask.world, one), "chatId": chat.id} for one in reversed(said)], most=50, default=20)


def _say(ask: Ask) -> Answer:
    chat = _chat(ask)
    said = _said(ask, chat.id, None)
    chat.at = said.at
    return Answer({**_shape(ask.world, said), "chatId": chat.id}, 201)


def _said(ask: Ask, place: str, below: str | None) -> Said:
    body = ask.body.get("body")
    if not isinstance(body, dict) or not body.get("content"):
        raise Refused(400, "BadRequest", "Bad request: the message has no body.")
    said = Said(
        id=str(1_768_000_000_000 + ask.world.new_number()),
        place=place,
        author=ask.person.id,
        content=str(body["content"]),
        content_type=str(body.get("contentType", "text")),
        at=ask.hub.stamp(),
        subject=ask.text("subject") or None,
        below=below,
    )
    ask.world.said.append(said)
    return said


def _shape(world: World, said: Said) -> Shape:
    author = world.person(said.author)
    user: Shape = {"id": said.author, "displayName": author.name if author else None}
    return {
        "id": said.id,
        "replyToId": said.below,
        "messageType": "message",
        "createdDateTime": said.at,
        "subject": said.subject,
        "importance": "normal",
        "webUrl": f"{_WEB}/message/{said.id}",
        "from": {"user": user},
        "body": {"contentType": said.content_type, "content": said.content},
        "attachments": [],
        "mentions": [],
        "reactions": [],
    }
