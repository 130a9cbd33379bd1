"""Outlook mail in the sandbox: mailboxes, drafts, sending to one another, attachments."""

import base64
import binascii

from pydantic import JsonValue
from starlette.routing import Route

from adapters.microsoft365.sandbox_api import Answer, Ask, Refused, graph_route, invalid, mail_not_found
from adapters.microsoft365.sandbox_state import FOLDERS, AttachedFile, Hub, Mail, Person, Shape, World

_WEB = "https://outlook.office.example/mail"


def mail_routes(hub: Hub) -> list[Route]:
    """All of them."""
    one = "/me/messages/{message}"
    read, write, send = "Mail.Read", "Mail.ReadWrite", "Mail.Send"
    return [
        graph_route(hub, "GET", "/me/messages", _list, read),
        graph_route(hub, "POST", "/me/messages", _create, write),
        graph_route(hub, "POST", "/me/sendMail", _send_mail, send),
        graph_route(hub, "GET", "/me/mailFolders", _list_folders, read),
        graph_route(hub, "GET", "/me/mailFolders/{folder}/messages", _list_folder, read),
        graph_route(hub, "GET", one, lambda ask: ask.one(message_shape(ask.world, _mail(ask))), read),
        graph_route(hub, "PATCH", one, _update, write),
        graph_route(hub, "DELETE", one, _delete, write),
        graph_route(hub, "POST", f"{one}/send", _send, send),
        graph_route(hub, "POST", f"{one}/reply", lambda ask: _reply(ask, to_all=False), send),
        graph_route(hub, "POST", f"{one}/replyAll", lambda ask: _reply(ask, to_all=True), send),
        graph_route(hub, "POST", f"{one}/forward", _forward, send),
        graph_route(hub, "POST", f"{one}/move", _move, write),
        graph_route(hub, "GET", f"{one}/attachments", _list_attachments, read),
        graph_route(hub, "GET", f"{one}/attachments/{{attachment}}", _attachment, read),
    ]


def message_shape(world: World, mail: Mail) -> Shape:
    """A message as Graph writes it. What begins with an underscore is sent only when it is selected."""
    body: Shape = {"contentType": "text", "content": mail.content}
    return {
        "@odata.etag": f'W/"{mail.id}"',
        "id": mail.id,
        "createdDateTime": mail.at,
        "lastModifiedDateTime": mail.at,
        "categories": [*mail.categories],
        "receivedDateTime": mail.at,
        "sentDateTime": mail.at,
        "hasAttachments": bool(mail.files),
        "internetMessageId": f"<{mail.id.strip('=')}@sandbox.example>",
        "subject": mail.subject,
        "bodyPreview": mail.content[:255],
        "importance": mail.importance,
        "parentFolderId": f"folder-{mail.folder}",
        "conversationId": mail.conversation,
        "isRead": mail.is_read,
        "isDraft": mail.is_draft,
        "webLink": f"{_WEB}/{mail.id}",
        "body": body,
        "_uniqueBody": body,
        "from": _recipient(world, mail.sender),
        "sender": _recipient(world, mail.sender),
        "toRecipients": [_recipient(world, each) for each in mail.to],
        "ccRecipients": [_recipient(world, each) for each in mail.cc],
        "bccRecipients": [_recipient(world, each) for each in mail.bcc],
        "replyTo": [_recipient(world, each) for each in mail.reply_to],
        "flag": {"flagStatus": mail.flag},
        "_singleValueExtendedProperties": [{"id": name, "value": value} for name, value in mail.marks.items()],
    }


def _recipient(world: World, address: str) -> Shape:
    person = world.person(address)
    return {"emailAddress": {"name": person.name if person else address, "address": address}}


def _mine(ask: Ask) -> list[Mail]:
    return sorted((one for one in ask.world.mail if one.owner == ask.person.id), key=lambda one: one.at, reverse=True)


def _mail(ask: Ask) -> Mail:
    """The message of the path. Raises Refused."""
    found = next((one for one in _mine(ask) if one.id == ask.path("message")), None)
    if found is None:
        raise mail_not_found()
    return found


def _folder(told: str) -> str:
    """The well-known name behind a name or an id. Raises Refused."""
    name = told.removeprefix("folder-").lower()
    if name not in FOLDERS:
        raise Refused(404, "ErrorFolderNotFound", "The specified folder could not be found in the store.")
    return name


def _list(ask: Ask) -> Answer:
    return ask.listed([message_shape(ask.world, one) for one in _mine(ask)])


def _list_folder(ask: Ask) -> Answer:
    folder = _folder(ask.path("folder"))
    return ask.listed([message_shape(ask.world, one) for one in _mine(ask) if one.folder == folder])


def _list_folders(ask: Ask) -> Answer:
    shapes: list[Shape] = []
    for name, shown in FOLDERS.items():
        inside = [one for one in _mine(ask) if one.folder == name]
        unread = sum(not one.is_read for one in inside)
        shapes.append(
            {
                "id": f"folder-{name}",
                "displayName": shown,
                "parentFolderId": "folder-root",
                "childFolderCount": 0,
                "unreadItemCount": unread,
                "totalItemCount": len(inside),
                "isHidden": False,
            }
        )
    return ask.listed(shapes)


def _create(ask: Ask) -> Answer:
    mail = _written(ask, ask.body)
    ask.world.mail.append(mail)
    return ask.one(message_shape(ask.world, mail), 201)


def _send_mail(ask: Ask) -> Answer:
    told = ask.body.get("Message", ask.body.get("message"))
    if not isinstance(told, dict):
        raise Refused(400, "ErrorInvalidRequest", "The message is missing.")
    mail = _written(ask, told)
    ask.world.mail.append(mail)
    _deliver(ask, mail)
    if ask.body.get("SaveToSentItems") is False:
        ask.world.mail.remove(mail)
    return Answer(status=202)


def _send(ask: Ask) -> Answer:
    mail = _mail(ask)
    if not mail.is_draft:
        raise Refused(400, "ErrorInvalidOperation", "The item is not a draft.")
    _deliver(ask, mail)
    return Answer(status=202)


def _reply(ask: Ask, *, to_all: bool) -> Answer:
    before = _mail(ask)
    told = ask.body.get("Message", {})
    if not isinstance(told, dict) or ("body" in told and ask.body.get("Comment")):
        raise Refused(400, "ErrorInvalidRequest", "Specify either a comment or the body of the message.")
    mail = _written(ask, told, subject=f"RE: {before.subject.removeprefix('RE: ')}", content=ask.text("Comment"))
    others = [one for one in (*before.to, *before.cc) if one != ask.person.mail] if to_all else []
    mail.to = mail.to or [*(before.reply_to or [before.sender]), *(one for one in others if one in before.to)]
    mail.cc = mail.cc if "ccRecipients" in told else [one for one in others if one in before.cc]
    mail.conversation = before.conversation
    ask.world.mail.append(mail)
    _deliver(ask, mail)
    return Answer(status=202)


def _forward(ask: Ask) -> Answer:
    before = _mail(ask)
    content = f"{ask.text('Comment')}\n\n{before.content}".lstrip()
    mail = _written(ask, {}, subject=f"FW: {before.subject}", content=content)
    mail.to, mail.files, mail.conversation = _addresses(ask.body.get("ToRecipients")), before.files, before.conversation
    ask.world.mail.append(mail)
    _deliver(ask, mail)
    return Answer(status=202)


def _update(ask: Ask) -> Answer:
    mail, change = _mail(ask), ask.body
    if isinstance(change.get("isRead"), bool):
        mail.is_read = change["isRead"] is True
    if isinstance(categories := change.get("categories"), list):
        mail.categories = [str(each) for each in categories]
    if isinstance(flag := change.get("flag"), dict):
        mail.flag = str(flag.get("flagStatus", mail.flag))
    return ask.one(message_shape(ask.world, mail))


def _move(ask: Ask) -> Answer:
    mail = _mail(ask)
    mail.folder = _folder(ask.text("DestinationId"))
    return ask.one(message_shape(ask.world, mail), 201)


def _delete(ask: Ask) -> Answer:
    mail = _mail(ask)
    if mail.folder == "deleteditems":
        ask.world.mail.remove(mail)
    mail.folder = "deleteditems"
    return Answer(status=204)


def _list_attachments(ask: Ask) -> Answer:
    return ask.listed([_attachment_shape(each) for each in _mail(ask).files])


def _attachment(ask: Ask) -> Answer:
    found = next((each for each in _mail(ask).files if each.id == ask.path("attachment")), None)
    if found is None:
        raise mail_not_found()
    kind: Shape = {"@odata.type": "#microsoft.graph.fileAttachment"}
    return Answer({**kind, **_attachment_shape(found), "contentBytes": found.content})


def _attachment_shape(file: AttachedFile) -> Shape:
    size = len(base64.b64decode(file.content))
    return {"id": file.id, "name": file.name, "contentType": file.media_type, "size": size, "isInline": False}


def _written(ask: Ask, told: Shape, *, subject: str = "", content: str = "") -> Mail:
    """A draft from what a request says about a message. Raises Refused."""
    body = told.get("body")
    body = body if isinstance(body, dict) else {"content": content}
    number = ask.world.new_number()
    marks = told.get("singleValueExtendedProperties")
    return Mail(
        id=f"msg-{number:06d}=",
        owner=ask.person.id,
        folder="drafts",
        conversation=f"conv-{number:06d}=",
        subject=str(told.get("subject", subject)),
        content=str(body.get("content", "")),
        content_type=str(body.get("contentType", "text")).lower(),
        sender=ask.person.mail,
        to=_addresses(told.get("toRecipients")),
        cc=_addresses(told.get("ccRecipients")),
        bcc=_addresses(told.get("bccRecipients")),
        reply_to=_addresses(told.get("replyTo")),
        at=ask.hub.stamp(),
        is_read=True,
        is_draft=True,
        importance=str(told.get("importance", "normal")),
        files=_files(ask, told.get("attachments")),
        marks={str(each["id"]): str(each["value"]) for each in marks or [] if isinstance(each, dict)}
        if isinstance(marks, list)
        else {},
    )


def _deliver(ask: Ask, mail: Mail) -> None:
    """File it among what was sent, and give a copy to everybody of the sandbox it goes to. Raises Refused."""
    everybody = [*mail.to, *mail.cc, *mail.bcc]
    if not everybody:
        raise Refused(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
    mail.folder, mail.is_draft, mail.at = "sentitems", False, ask.hub.stamp()
    people = {person.id: person for each in everybody if (person := ask.world.person(each))}
    ask.world.mail.extend(_copy(ask.world, mail, person) for person in people.values())


def _copy(world: World, mail: Mail, person: Person) -> Mail:
    told: dict[str, JsonValue] = {"owner": person.id, "folder": "inbox", "is_read": False, "bcc": [], "marks": {}}
    return mail.model_copy(update={"id": world.new_id("msg"), **told})


def _addresses(told: JsonValue) -> list[str]:
    found = [each.get("emailAddress") for each in told if isinstance(each, dict)] if isinstance(told, list) else []
    return [str(each.get("address")) for each in found if isinstance(each, dict)]


def _files(ask: Ask, told: JsonValue) -> list[AttachedFile]:
    files: list[AttachedFile] = []
    for each in told if isinstance(told, list) else []:
        if not isinstance(each, dict) or each.get("@odata.type") != "#microsoft.graph.fileAttachment":
            raise invalid("The attachment is of no known type.")
        try:
            base64.b64decode(str(each.get("contentBytes")), validate=True)
        except (binascii.Error, ValueError):
            raise invalid("Cannot convert the literal to the expected type 'Edm.Binary'.") from None
        number, name = ask.world.new_id("att"), str(each.get("name"))
        kind = str(each.get("contentType") or "application/octet-stream")
        files.append(AttachedFile(id=number, name=name, media_type=kind, content=str(each["contentBytes"])))
    return files
