"""Outlook mail, tried against the sandbox through real sockets; the fixture holds every message against Graph's
description."""

import base64
from typing import Any
from uuid import uuid4

import pytest

from adapters.microsoft365.marker import MARKER_ID
from adapters.microsoft365.sandbox_state import TOKEN_ADA_PROFILE, TOKEN_BEN
from domain.errors import AnswerLost, Forbidden, NotThere, Rejected
from domain.json import Json, JsonObject
from tests.adapters.microsoft365.office import Office, mistakes

PDF: JsonObject = {
    "name": "offer.pdf",
    "media_type": "application/pdf",
    "content": {"base64": base64.b64encode(b"%PDF\x00").decode()},
}
NOTE: JsonObject = {"name": "notes.txt", "media_type": "text/plain", "content": {"text": "Ahoy\n"}}


async def first(ada: Office, **criteria: Any) -> Any:
    return (await ada.rows("list_messages", limit=1, **criteria))[0]


# -------------------------------------------------------------------------------------------------------- reading


async def test_the_inbox_is_read_newest_first_and_without_texts(ada: Office) -> None:
    found = await ada.rows("list_messages")
    assert [each["subject"] for each in found] == ["Fog warning", "Harbour fees of January", "Berth 7 on Thursday"]
    assert found[2]["sender"] == "ben@harbour.example"
    assert found[2]["to"] == ["ada@harbour.example"]
    assert found[2]["has_attachments"]
    assert "text" not in found[0]


async def test_every_request_prefers_lasting_ids_and_plain_text(ada: Office) -> None:
    await ada.rows("list_messages")
    [preferred] = ada.headers("/messages", "prefer")
    assert preferred == 'IdType="ImmutableId", outlook.body-content-type="text"'


async def test_lists_can_be_narrowed(ada: Office) -> None:
    assert len(await ada.rows("list_messages", unread_only=True)) == 2
    assert len(await ada.rows("list_messages", sender="cleo@harbour.example")) == 1
    assert len(await ada.rows("list_messages", received_after="2026-01-15T09:30:00+01:00")) == 2
    assert len(await ada.rows("list_messages", received_before="2026-01-14T00:00:00Z")) == 1
    assert len(await ada.rows("list_messages", folder=None)) == 4
    assert len(await ada.rows("list_messages", folder="sentitems")) == 1
    asked = ada.queries("/me/mailFolders/inbox/messages")[0]
    assert asked["$filter"] == ["receivedDateTime ge 1900-01-01T00:00:00Z and isRead eq false"]


async def test_quotes_in_an_address_stay_inside_the_filter(ada: Office) -> None:
    assert await ada.rows("list_messages", sender="o'brien@ropes.example") == []
    [asked] = ada.queries("/messages")
    assert asked["$filter"][0].endswith("from/emailAddress/address eq 'o''brien@ropes.example'")


async def test_a_search_is_one_quoted_expression_whatever_is_in_it(ada: Office) -> None:
    assert [each["subject"] for each in await ada.rows("search_messages", query="fog pilots")] == ["Fog warning"]
    assert await ada.rows("search_messages", query='"or" \\ $filter=x', folder="archive") == []
    assert ada.queries("/me/messages")[0]["$search"] == ['"fog pilots"']
    assert ada.queries("/archive/messages")[0]["$search"] == ['"\\"or\\" \\\\ $filter=x"']


async def test_pages_are_walked_by_the_query_of_the_next_link_only(ada: Office) -> None:
    for number in range(60):
        await ada.run("create_draft", subject=f"Draft {number}", body="x")
    found = await ada.rows("list_messages", folder="drafts", limit=55)
    assert len({each["id"] for each in found}) == 55
    asked = ada.queries("/drafts/messages")
    assert [each["$top"] for each in asked] == [["50"], ["50"]]
    assert "$skiptoken" in asked[1]


async def test_one_message_comes_with_its_text_and_its_attachments(ada: Office) -> None:
    listed = await first(ada, received_before="2026-01-14T00:00:00Z")
    message = await ada.row("get_message", message_id=listed["id"])
    assert message["text"] == "Can the Ilse have berth 7 on Thursday?"
    [attachment] = message["attachments"]
    assert (attachment["name"], attachment["size_bytes"]) == ("berths.csv", 18)
    read = await ada.row("get_attachment", message_id=listed["id"], attachment_id=attachment["id"])
    assert read["content"]["text"] == "berth,ship\n7,Ilse\n"
    with pytest.raises(NotThere):
        await ada.run("get_attachment", message_id=listed["id"], attachment_id="none")


async def test_a_thread_is_read_from_all_folders_oldest_first(ada: Office) -> None:
    found = await ada.rows("get_thread", conversation_id="conv-berth=")
    assert [each["text"] for each in found] == ["Can the Ilse have berth 7 on Thursday?", "She can, from ten o'clock."]


async def test_folders_tell_how_much_is_in_them(ada: Office) -> None:
    found = {each["name"]: (each["messages"], each["unread"]) for each in await ada.rows("list_mail_folders")}
    assert found["Inbox"] == (3, 2)
    await ada.rows("list_mail_folders", include_hidden=True)
    assert ada.queries("/mailFolders")[1]["includeHiddenFolders"] == ["true"]


# -------------------------------------------------------------------------------------------------------- sending


async def test_an_email_with_attachments_arrives(ada: Office) -> None:
    sent = {"to": ["ben@harbour.example"], "cc": ["cleo@harbour.example"], "subject": "Ropes", "body": "<b>New</b>"}
    answer = await ada.row("send_email", **sent, is_html=True, attachments=[PDF, NOTE], importance="high")
    assert answer == {"is_accepted": True, "find_it_in": "sentitems"}
    [body] = ada.bodies("/sendMail")
    assert body["Message"]["body"] == {"contentType": "html", "content": "<b>New</b>"}
    assert body["Message"]["attachments"][0]["@odata.type"] == "#microsoft.graph.fileAttachment"
    assert body["SaveToSentItems"] is True
    ben = ada.as_somebody_else(TOKEN_BEN)
    arrived = await first(ben)
    assert (arrived["subject"], arrived["cc"], arrived["is_read"]) == ("Ropes", ["cleo@harbour.example"], False)
    whole = await ben.row("get_message", message_id=arrived["id"])
    assert [each["name"] for each in whole["attachments"]] == ["offer.pdf", "notes.txt"]


async def test_a_sent_email_is_found_again_by_its_execution_when_the_answer_was_lost(ada: Office) -> None:
    ada.key = uuid4()
    ada.misbehave("lost_answer", "POST /v1.0/me/sendMail")
    with pytest.raises(AnswerLost):
        await ada.run("send_email", to=["ben@harbour.example"], subject="Once", body="Only once.")
    [body] = ada.bodies("/sendMail")
    assert body["Message"]["singleValueExtendedProperties"] == [{"id": MARKER_ID, "value": ada.key.hex}]
    for told in (f"exe_{ada.key.hex}", ada.key.hex):
        [found] = await ada.rows("find_sent_email", execution=told)
        assert (found["subject"], found["is_draft"]) == ("Once", False)
    assert await ada.rows("find_sent_email", execution=f"exe_{uuid4().hex}") == []


@pytest.mark.parametrize("name", ["send_email", "create_draft"])
async def test_what_was_lost_is_found_by_its_own_execution(ada: Office, name: str) -> None:
    ada.key = uuid4()
    action = ada.integration.actions[f"microsoft365.{name}"]
    letter: JsonObject = {"to": ["ben@harbour.example"], "subject": "Once", "body": "Only once."}
    assert await ada.integration.probe(action, letter, ada.setting()) is None, "nothing was sent yet"
    ada.misbehave("lost_answer", "POST /v1.0/me/*")
    with pytest.raises(AnswerLost):
        await ada.run(name, **letter)
    found = await ada.integration.probe(action, letter, ada.setting())
    assert found is not None
    assert found.has_happened
    assert isinstance(found.result, dict)
    assert found.result.get("subject", "Once") == "Once"
    ada.key = uuid4()
    assert await ada.integration.probe(action, letter, ada.setting()) is None


async def test_a_draft_is_not_taken_for_a_sent_email(ada: Office) -> None:
    ada.key = uuid4()
    await ada.run("create_draft", subject="Later", body="…")
    sending = ada.integration.actions["microsoft365.send_email"]
    letter: JsonObject = {"to": ["ben@harbour.example"], "subject": "Later", "body": "…"}
    assert await ada.integration.probe(sending, letter, ada.setting()) is None


async def test_a_draft_waits_and_keeps_its_id_when_it_is_sent(ada: Office) -> None:
    draft = await ada.row("create_draft", to=["ben@harbour.example"], subject="Later", body="Soon.", attachments=[NOTE])
    assert draft["is_draft"]
    await ada.run("send_draft", message_id=draft["id"])
    assert (await ada.row("get_message", message_id=draft["id"]))["is_draft"] is False
    with pytest.raises(Rejected):
        await ada.run("send_draft", message_id=draft["id"])


async def test_a_draft_to_nobody_cannot_be_sent(ada: Office) -> None:
    draft = await ada.row("create_draft", subject="To whom", body="?")
    with pytest.raises(Rejected, match="ErrorInvalidRecipients"):
        await ada.run("send_draft", message_id=draft["id"])


async def test_a_reply_stays_in_its_thread(ada: Office) -> None:
    fees = await first(ada, sender="cleo@harbour.example")
    await ada.run("reply_message", message_id=fees["id"], body="Paid.", attachments=[NOTE])
    await ada.run("reply_message", message_id=fees["id"], body="<p>All paid.</p>", is_html=True, to_all=True)
    thread = await ada.rows("get_thread", conversation_id=fees["conversation_id"])
    assert [each["to"] for each in thread[1:]] == [
        ["cleo@harbour.example"],
        ["cleo@harbour.example", "ben@harbour.example"],
    ]
    assert thread[1]["subject"] == "RE: Harbour fees of January"
    await ada.run("reply_message", message_id=fees["id"], body="Also you.", cc=["ben@harbour.example"])
    assert ada.bodies("/reply")[1]["Message"]["ccRecipients"] == [{"emailAddress": {"address": "ben@harbour.example"}}]


async def test_a_message_is_forwarded_with_its_attachments(ada: Office) -> None:
    listed = await first(ada, received_before="2026-01-14T00:00:00Z")
    await ada.run("forward_message", message_id=listed["id"], to=["cleo@harbour.example"], comment="See below.")
    sent = await first(ada, folder="sentitems")
    assert (sent["subject"], sent["has_attachments"]) == ("FW: Berth 7 on Thursday", True)


# ------------------------------------------------------------------------------------------------ mark, move, delete


async def test_a_message_is_marked_moved_and_deleted(ada: Office) -> None:
    fog = await first(ada)
    marked = await ada.row("update_message", message_id=fog["id"], is_read=True, flag="flagged", categories=["Weather"])
    assert (marked["is_read"], marked["flag"], marked["categories"]) == (True, "flagged", ["Weather"])
    moved = await ada.row("move_message", message_id=fog["id"], folder="archive")
    assert (moved["id"], moved["folder_id"]) == (fog["id"], "folder-archive")
    assert await ada.row("delete_message", message_id=fog["id"]) == {"id": fog["id"]}
    assert (await first(ada, folder="deleteditems"))["id"] == fog["id"]


async def test_a_change_of_nothing_is_refused_before_anything_is_sent(ada: Office) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        await ada.run("update_message", message_id="msg-1")
    assert ada.paths() == []


# -------------------------------------------------------------------------------------------------------- refusals


async def test_a_message_that_is_not_there_is_named_in_machine_words(ada: Office) -> None:
    with pytest.raises(NotThere, match=r"answered 404 \(ErrorItemNotFound\):"):
        await ada.run("get_message", message_id="gone")


async def test_an_id_stays_one_part_of_the_path(ada: Office) -> None:
    with pytest.raises(NotThere):
        await ada.run("get_message", message_id="../me")
    assert "/me/messages/..%2Fme?" in ada.requests[0].url


async def test_a_folder_that_is_not_there_is_not_found(ada: Office) -> None:
    with pytest.raises(NotThere):
        await ada.run("list_messages", folder="nowhere")


async def test_a_missing_permission_is_forbidden(ada: Office) -> None:
    with pytest.raises(Forbidden, match="ErrorAccessDenied"):
        await ada.as_somebody_else(TOKEN_ADA_PROFILE).run("list_messages")


async def test_attachments_that_are_too_large_together_are_refused_before_anything_is_sent(ada: Office) -> None:
    large: Json = {"name": "a.txt", "media_type": "text/plain", "content": {"text": "x" * 800_000}}
    with pytest.raises(Rejected, match="3 MB"):
        await ada.run("send_email", to=["a@b.example"], subject="S", body="B", attachments=[large] * 4)
    assert ada.paths() == []


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"to": []}, "/to"),
        ({"to": ["no address"]}, "/to/0"),
        ({"to": ["Ada <ada@harbour.example>"]}, "/to/0"),
        ({"to": ["a@b.example"] * 101}, "/to"),
        ({"subject": "two\nlines"}, "/subject"),
        ({"subject": ""}, "/subject"),
        ({"body": 7}, "/body"),
        ({"body": "x" * 200_001}, "/body"),
        ({"importance": "urgent"}, "/importance"),
        ({"attachments": [{**NOTE, "name": "../x"}]}, "/attachments/0/name"),
        ({"attachments": [{**NOTE, "media_type": "text/plain; x"}]}, "/attachments/0/media_type"),
        ({"attachments": [{**NOTE, "content": {}}]}, "/attachments/0/content"),
        ({"sender": "b@c.example"}, "/sender"),
    ],
)
def test_what_is_no_email_is_caught_before_it_leaves(parameters: dict[str, Any], pointer: str) -> None:
    good = {"to": ["a@b.example"], "subject": "S", "body": "B"}
    assert mistakes("send_email", **good) == []
    assert mistakes("send_email", **{**good, **parameters}) == [pointer]


@pytest.mark.parametrize("message_id", ["", "a b", "a\n", "ü", "x" * 513])
def test_what_is_no_message_id_is_caught(message_id: str) -> None:
    assert mistakes("get_message", message_id=message_id) == ["/message_id"]
    assert mistakes("list_messages", folder=message_id) == ["/folder"]
