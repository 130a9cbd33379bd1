"""Sending: what arrives is what was said, to whom it was said, and nothing can be smuggled in."""

import base64
import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import UUID

import pytest

from adapters._kit.catalogue import load_one
from adapters._kit.http import CannedTransport, Incoming, Outgoing
from adapters._kit.integration import Override
from adapters.gmail.composing import message_ids
from domain.catalogue import Account, AuthScheme, CallSetting, Credential
from domain.errors import AnswerLost, NotThere, Rejected, Unavailable
from domain.ids import new_id
from domain.json import Json
from domain.secrets import Secret
from tests.adapters.gmail.conftest import GMAIL, practice
from tests.support.trials import Trial

KEY = UUID("0192f0c1-2345-7678-89ab-0123456789ab")
EXECUTION = f"exe_{KEY.hex}"
ACCOUNT = Account("108", "mara@harbour.example")


def sent(request: Outgoing) -> EmailMessage:
    """The message of a request, parsed by the standard library."""
    body = json.loads(request.body or b"{}")
    raw = body.get("raw") or body["message"]["raw"]
    return message_from_bytes(base64.urlsafe_b64decode(raw), policy=default)


async def written(account: Account | None = ACCOUNT, answers: list[Json] | None = None, **parameters: Any) -> Outgoing:
    """What `send_email` or another action sends, without a service."""
    name = parameters.pop("action", "send_email")
    waiting = list(answers or [{"id": "m1", "threadId": "t1"}])
    transport = CannedTransport(lambda _: Incoming(200, {}, json.dumps(waiting.pop(0)).encode()))
    gmail = load_one("gmail", transport, Override(), None)
    action = gmail.actions[f"gmail.{name}"]
    assert action.check(parameters) == ()
    credential = Credential(AuthScheme.OAUTH2, {"access_token": Secret("t")}, {})
    deadline_at = datetime.now(UTC) + timedelta(seconds=10)
    setting = CallSetting(credential, account, is_sandbox=False, key=KEY, deadline_at=deadline_at)
    await gmail.run(action, parameters, setting)
    return transport.requests[-1]


LETTER: dict[str, Any] = {"to": ["jon@harbour.example"], "subject": "Tide", "text": "Six."}


# -------------------------------------------------------------------------------------------------- what arrives


async def test_send_email_arrives_as_it_was_written(gmail: Trial) -> None:
    gone = await gmail.run(
        "send_email",
        to=["jon@harbour.example", "ines@sailworks.example"],
        cc=["olu@chandlery.example"],
        bcc=["quiet@harbour.example"],
        subject="Grüße ☀ and a subject that is long enough to be folded over more than one line of the header",
        text="Grüße\n.\nFrom here\n",
        html="<p>Grüße</p>",
        attachments=[
            {"file_name": "tides.csv", "content": {"text": "a,b\n"}},
            {"file_name": "ü.bin", "media_type": "image/png", "content": {"base64": "iVBORw=="}},
        ],
    )
    found = await gmail.run("get_message", message_id=gone["id"], with_html=True)
    assert found["subject"].startswith("Grüße ☀ and")
    assert (found["to"], found["cc"]) == ("jon@harbour.example, ines@sailworks.example", "olu@chandlery.example")
    assert (found["text"], found["html"].strip()) == ("Grüße\n.\nFrom here", "<p>Grüße</p>")
    assert [(each["file_name"], each["media_type"], each["size"]) for each in found["attachments"]] == [
        ("tides.csv", "text/csv", 4),
        ("ü.bin", "image/png", 4),
    ]
    assert found["sent_by_execution"].startswith("exe_")
    assert await gmail.effects() == {"POST /gmail/v1/users/{user}/messages/send": 1}


async def test_a_hidden_copy_is_named_to_gmail_and_nowhere_else() -> None:
    message = sent(await written(**LETTER, bcc=["quiet@harbour.example"]))
    assert message["Bcc"] == "quiet@harbour.example"
    assert "quiet" not in str(message["To"]) + str(message["Cc"]) + message.get_content()


async def test_the_raw_message_is_what_the_mail_standards_say() -> None:
    request = await written(**{**LETTER, "subject": "ü" * 300, "text": "ö" * 3000 + "\r\n" + "x" * 5000})
    raw = base64.urlsafe_b64decode(json.loads(request.body or b"")["raw"])
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= 998  # RFC 5322, section 2.1.1
    assert raw.isascii()
    assert not re.search(rb"(?<!\r)\n", raw)
    assert max(map(len, raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 78  # as it recommends for headers
    assert sent(request)["Subject"] == "ü" * 300


async def test_the_marks_are_the_same_for_every_attempt_of_one_execution() -> None:
    first, second = [sent(await written(**LETTER)) for _ in range(2)]
    assert first["X-Mandate-Execution"] == second["X-Mandate-Execution"] == EXECUTION
    assert first["Message-ID"] == second["Message-ID"] == f"<mandate.{KEY.hex}@harbour.example>"


@pytest.mark.parametrize("label", ["Mara", "mara@", "mara@harbour.example>\r\nBcc: x@y.example", "mara@localhost"])
async def test_a_label_that_is_no_address_does_not_get_into_the_marks(label: str) -> None:
    message = sent(await written(Account("1", label), **LETTER))
    assert message["Message-ID"] == f"<mandate.{KEY.hex}@mandate.invalid>"
    assert message["Bcc"] is None


async def test_a_file_that_is_itself_a_message_goes_as_plain_bytes() -> None:
    kinds = ["message/rfc822", "multipart/mixed", "MULTIPART/x"]
    files = [{"file_name": "a", "media_type": kind, "content": {"text": "To: x@y.example\r\n\r\nhi"}} for kind in kinds]
    message = sent(await written(**LETTER, attachments=files))
    assert [each.get_content_type() for each in message.iter_attachments()] == ["application/octet-stream"] * 3
    assert message.get_all("To") == ["jon@harbour.example"]


# --------------------------------------------------------------------------------------------- nothing smuggled in

BREAKS = ["\r\nBcc: x@y.example", "\nBcc: x@y.example", "\rX", "a\x00b", "\x85Bcc: x", "\u2028Bcc: x", "a\x0bb", "\x1e"]


@pytest.mark.parametrize("smuggled", BREAKS)
@pytest.mark.parametrize(
    ("place", "build"),
    [
        ("/subject", lambda bad: {**LETTER, "subject": f"Tide{bad}"}),
        ("/to/0", lambda bad: {**LETTER, "to": [f"jon@harbour.example{bad}"]}),
        ("/cc/0", lambda bad: {**LETTER, "cc": [f"jon@harbour.example{bad}"]}),
        ("/bcc/0", lambda bad: {**LETTER, "bcc": [f"{bad}jon@harbour.example"]}),
        ("/in_reply_to", lambda bad: {**LETTER, "in_reply_to": f"<a@b.example>{bad}"}),
        ("/in_reply_to", lambda bad: {**LETTER, "in_reply_to": f"<a{bad}@b.example>"}),
        (
            "/attachments/0/file_name",
            lambda bad: {**LETTER, "attachments": [{"file_name": f"a{bad}", "content": {"text": ""}}]},
        ),
        (
            "/attachments/0/media_type",
            lambda bad: {
                **LETTER,
                "attachments": [{"file_name": "a", "media_type": f"text/plain{bad}", "content": {"text": ""}}],
            },
        ),
    ],
)
def test_no_header_can_be_smuggled_in(place: str, build: Any, smuggled: str) -> None:
    for action in ("send_email", "create_draft"):
        found = GMAIL.actions[f"gmail.{action}"].check(build(smuggled))
        assert place in [each.pointer for each in found]


@pytest.mark.parametrize(
    "address",
    [
        "jon",
        "jon@",
        "@harbour.example",
        "jon@harbour",
        "Jon Reef <jon@harbour.example>",
        "jon@harbour.example, x@y.example",
        "jon@harbour.example;x@y.example",
        '"a b"@harbour.example',
        "jön@harbour.example",
        "jon@-harbour.example",
        "jon @harbour.example",
        "a" * 65 + "@harbour.example",
        "a@" + "b." * 130 + "example",
        7,
        None,
    ],
)
def test_only_plain_addresses_are_taken(address: Any) -> None:
    found = GMAIL.actions["gmail.send_email"].check({**LETTER, "to": [address]})
    assert [each.pointer for each in found] == ["/to/0"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"to": []}, "/to"),
        ({"to": ["a@b.example"] * 101}, "/to"),
        ({"to": "a@b.example"}, "/to"),
        ({"subject": "x" * 901}, "/subject"),
        ({"text": "x" * 500_001}, "/text"),
        ({"text": None}, "/text"),
        ({"thread_id": "../x"}, "/thread_id"),
        ({"in_reply_to": "a@b.example"}, "/in_reply_to"),
        ({"attachments": [{"file_name": "a/b", "content": {"text": ""}}]}, "/attachments/0/file_name"),
        ({"attachments": [{"file_name": "", "content": {"text": ""}}]}, "/attachments/0/file_name"),
        ({"attachments": [{"file_name": "a", "content": {}}]}, "/attachments/0/content"),
        ({"attachments": [{"file_name": "a"}]}, "/attachments/0/content"),
        ({"attachments": [{"file_name": "a", "content": {"base64": "?"}}]}, "/attachments/0/content/base64"),
    ],
)
def test_bad_input_is_caught_before_a_call(change: Any, pointer: str) -> None:
    found = GMAIL.actions["gmail.send_email"].check({**LETTER, **change})
    assert [each.pointer for each in found] == [pointer]


def test_text_that_is_half_a_character_cannot_be_sent() -> None:
    found = GMAIL.actions["gmail.send_email"].check({**LETTER, "text": "\ud83d"})
    assert found != ()


# ------------------------------------------------------------------------------------------------------- answering


async def test_reply_to_email_goes_to_the_writer_in_the_same_conversation(gmail: Trial) -> None:
    (tide,) = (await gmail.run("search_emails", search="from:jon"))["emails"]
    gone = await gmail.run("reply_to_email", message_id=tide["id"], text="Aye.")
    assert gone["thread_id"] == tide["thread_id"]
    message = sent(gmail.requests[-1])
    assert (message["To"], message["Subject"]) == ("jon@harbour.example", "Re: Tide on Saturday")
    assert message["In-Reply-To"] == message["References"] == tide["message_id_header"]
    again = await gmail.run("reply_to_email", message_id=gone["id"], text="And: bring rope.")
    assert again["thread_id"] == tide["thread_id"]
    own = sent(gmail.requests[-1])
    assert (own["To"], own["Subject"]) == ("jon@harbour.example", "Re: Tide on Saturday")
    assert len(message_ids(str(own["References"]))) == 2


def answered(labels: list[str] | None = None, **headers: str) -> Json:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    named = {"From": "jon@harbour.example", "Subject": "Tide", "Message-ID": "<a@b.example>", **given}
    told: list[Json] = [{"name": name, "value": value} for name, value in named.items()]
    return {"id": "m1", "threadId": "t1", "labelIds": labels or ["INBOX"], "payload": {"headers": told}}


GONE: Json = {"id": "m2", "threadId": "t1"}
PROFILE: Json = {"emailAddress": "Mara@harbour.example"}


async def reply(message: Json, *, reply_all: bool = False) -> EmailMessage:
    answers: list[Json] = [message, PROFILE, GONE] if reply_all else [message, GONE]
    return sent(
        await written(answers=answers, action="reply_to_email", message_id="m1", text="Aye.", reply_all=reply_all)
    )


async def test_an_answer_goes_where_its_writer_wants_it() -> None:
    message = await reply(answered(Reply_To="List <list@harbour.example>"))
    assert message["To"] == "list@harbour.example"


async def test_an_answer_to_all_leaves_out_oneself_and_nobody_twice() -> None:
    got = answered(To="mara@harbour.example, Olu <olu@chandlery.example>", Cc="jon@harbour.example, i@s.example")
    message = await reply(got, reply_all=True)
    assert (message["To"], message["Cc"]) == ("jon@harbour.example", "olu@chandlery.example, i@s.example")


@pytest.mark.parametrize(
    ("subject", "answer"),
    [("Tide", "Re: Tide"), ("RE: Tide", "RE: Tide"), ("a\r\nBcc: x@y.example", "Re: a Bcc: x@y.example"), ("", "Re:")],
)
async def test_the_subject_stays_so_that_the_conversation_does(subject: str, answer: str) -> None:
    message = await reply(answered(Subject=subject))
    assert (str(message["Subject"]).strip(), message["Bcc"]) == (answer, None)


async def test_a_received_message_cannot_smuggle_headers_into_the_answer() -> None:
    hostile = answered(
        From='"x\r\nBcc: y@z.example" <jon@harbour.example>',
        Message_ID="<a@b.example>\r\nBcc: y@z.example",
        References="<one@x.example> junk\r\nBcc: y@z.example <t w o@x> <three@x.example>",
    )
    message = await reply(hostile)
    assert message["Bcc"] is None
    assert (message["To"], message["In-Reply-To"]) == ("jon@harbour.example", "<a@b.example>")
    assert message_ids(str(message["References"])) == ["<one@x.example>", "<three@x.example>", "<a@b.example>"]


async def test_long_chains_and_long_ids_are_folded_and_bounded() -> None:
    chain = [f"<{'x' * 200}{number}@mail.example>" for number in range(40)]
    message = await reply(answered(References=" ".join(chain[:15]), Message_ID=f"<{'y' * 300}@b.example>"))
    assert message_ids(str(message["References"])) == [*chain[:15], f"<{'y' * 300}@b.example>"]


async def test_nobody_to_answer_is_said_before_anything_is_sent() -> None:
    with pytest.raises(Rejected, match="nobody"):
        await reply(answered(From="undisclosed"))


async def test_too_many_to_answer_is_said_before_anything_is_sent() -> None:
    with pytest.raises(Rejected, match="more than 100"):
        await reply(answered(To=",".join(f"p{number}@x.example" for number in range(101))), reply_all=True)


async def test_send_email_stays_in_a_conversation_when_told_which_message_it_answers(gmail: Trial) -> None:
    (tide,) = (await gmail.run("search_emails", search="from:jon"))["emails"]
    gone = await gmail.run(
        "send_email",
        to=["jon@harbour.example"],
        subject="Re: Tide on Saturday",
        text="Aye.",
        thread_id=tide["thread_id"],
        in_reply_to=tide["message_id_header"],
    )
    assert gone["thread_id"] == tide["thread_id"]
    with pytest.raises(NotThere):
        await gmail.run("send_email", **LETTER, thread_id="nobody")


# ---------------------------------------------------------------------------------------------------------- drafts


async def test_a_draft_is_written_and_then_sent(gmail: Trial) -> None:
    draft = await gmail.run("create_draft", **LETTER)
    assert len((await gmail.run("list_messages", search="in:drafts"))["messages"]) == 1
    gone = await gmail.run("send_draft", draft_id=draft["id"])
    assert (await gmail.run("list_messages", search="in:drafts"))["messages"] == []
    assert (await gmail.run("get_message", message_id=gone["id"]))["to"] == "jon@harbour.example"
    with pytest.raises(NotThere):
        await gmail.run("send_draft", draft_id=draft["id"])


async def test_a_draft_without_recipients_can_be_written_but_not_sent(gmail: Trial) -> None:
    draft = await gmail.run("create_draft", subject="Later", text="…")
    with pytest.raises(Rejected):
        await gmail.run("send_draft", draft_id=draft["id"])


# --------------------------------------------------------------------------------------------------- what was lost


async def test_an_email_whose_answer_was_lost_may_have_gone_and_can_be_found_by_its_mark(gmail: Trial) -> None:
    await gmail.misbehave("lost_answer", "POST *send")
    with pytest.raises(AnswerLost) as lost:
        await gmail.run("send_email", **LETTER)
    assert lost.value.may_have_happened
    (found,) = (await gmail.run("search_emails", search="in:sent subject:Tide -subject:Saturday"))["emails"]
    assert found["sent_by_execution"] == str(sent(gmail.requests[0])["X-Mandate-Execution"])
    assert "X-Mandate-Execution" in gmail.integration.actions["gmail.send_email"].what_to_check


@pytest.mark.parametrize("action", ["send_email", "reply_to_email"])
async def test_an_email_whose_answer_was_lost_is_found_by_its_own_execution(action: str) -> None:
    async with practice(now=time.time) as gmail:
        sending, setting = gmail.integration.actions[f"gmail.{action}"], replace(gmail.setting(), key=new_id())
        parameters: dict[str, Json] = dict(LETTER)
        if action == "reply_to_email":
            answered = (await gmail.run("read_inbox", limit=1))["emails"][0]
            parameters = {"message_id": answered["id"], "text": "Aye."}
        assert await gmail.integration.probe(sending, parameters, setting) is None, "nothing was sent yet"
        await gmail.misbehave("lost_answer", "POST *send")
        with pytest.raises(AnswerLost):
            await gmail.integration.run(sending, parameters, setting)
        found = await gmail.integration.probe(sending, parameters, setting)
        assert found is not None
        assert found.has_happened
        assert isinstance(found.result, dict)
        told = await gmail.run("get_message", message_id=found.result["id"])
        assert told["sent_by_execution"] == f"exe_{setting.key.hex}"
        other = replace(setting, key=new_id())
        assert await gmail.integration.probe(sending, parameters, other) is None


async def test_find_sent_email_finds_what_an_execution_left_and_nothing_else() -> None:
    key, other = new_id(), new_id()
    async with practice(now=time.time) as gmail:
        sending = gmail.integration.actions["gmail.send_email"]
        await gmail.integration.run(sending, LETTER, replace(gmail.setting(), key=key))
        await gmail.run("create_draft", **LETTER)
        (found,) = await gmail.run("find_sent_email", execution=f"exe_{key.hex}")
        assert (found["to"], found["label_ids"]) == ("jon@harbour.example", ["SENT"])
        await gmail.run("trash_message", message_id=found["id"])
        assert len(await gmail.run("find_sent_email", execution=f"exe_{key.hex}")) == 1
        assert await gmail.run("find_sent_email", execution=f"exe_{other.hex}") == []


async def test_a_reply_whose_reading_failed_has_not_happened(gmail: Trial) -> None:
    await gmail.misbehave("500", "GET *")
    with pytest.raises(Unavailable) as problem:
        await gmail.run("reply_to_email", message_id="m1", text="x")
    assert not problem.value.may_have_happened
