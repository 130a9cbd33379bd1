"""Reading the mailbox against the sandbox."""

import base64

import pytest

from adapters.gmail.sandbox_state import CONTAINS
from adapters.gmail.scopes import COMPOSE, MODIFY, READ
from domain.errors import AnswerGarbled, NotThere, ProviderProblem, Rejected, SlowDown
from tests.adapters.gmail.conftest import GMAIL
from tests.support.trials import Trial


async def test_get_account_says_whose_mailbox_it_is(gmail: Trial) -> None:
    assert await gmail.run("get_account") == {"email_address": "mara@harbour.example", "messages": 4, "threads": 3}


async def test_read_inbox_decodes_every_kind_of_message_the_newest_first(gmail: Trial) -> None:
    news, invoice, tide = (await gmail.run("read_inbox"))["emails"]
    assert news["text"] == "Slipway\n\nIt opens on Monday.\n\nBring your boat."
    assert news["is_from_html"]
    assert (invoice["subject"], invoice["is_unread"]) == ("Invoice 2026-014: rope and paint für Mara", True)
    names = [(each["file_name"], each["media_type"]) for each in invoice["attachments"]]
    assert names == [("invoice-2026-014.csv", "text/csv"), ("Rechnung für Mara.pdf", "application/pdf")]
    assert tide["text"].endswith("Grüße\nJon")
    assert (tide["sender"], tide["is_unread"]) == ("Jon Reef <jon@harbour.example>", False)
    assert tide["received_at"] == "2026-01-12T09:00:00Z"


async def test_reading_marks_nothing_as_read(gmail: Trial) -> None:
    await gmail.run("read_inbox")
    assert [each["is_unread"] for each in (await gmail.run("read_inbox"))["emails"]] == [True, True, False]
    assert await gmail.effects() == {}


async def test_read_inbox_can_be_narrowed_cut_and_turned_page_by_page(gmail: Trial) -> None:
    unread = await gmail.run("read_inbox", only_unread=True, search="from:chandlery", text_limit=3)
    assert [(each["text"], each["is_truncated"]) for each in unread["emails"]] == [("See", True)]
    first = await gmail.run("read_inbox", limit=2)
    rest = await gmail.run("read_inbox", limit=2, page_token=first["next_page_token"])
    assert (len(first["emails"]), len(rest["emails"]), rest["next_page_token"]) == (2, 1, None)


async def test_without_texts_only_headers_are_fetched(gmail: Trial) -> None:
    found = await gmail.run("read_inbox", with_text=False)
    assert [each["text"] for each in found["emails"]] == [None, None, None]
    assert found["emails"][0]["subject"] == "The slipway opens again"
    assert all("format=metadata" in each.url for each in gmail.requests[1:])


@pytest.mark.parametrize(
    ("search", "subjects"),
    [
        ("in:sent", ["Re: Tide on Saturday"]),
        ("subject:tide -in:sent", ["Tide on Saturday"]),
        ('"cast off"', ["Tide on Saturday"]),
        ("has:attachment label:invoices", ["Invoice 2026-014: rope and paint für Mara"]),
        ("is:unread before:2026/01/14 from:news", ["The slipway opens again"]),
        ("nobody-wrote-this", []),
    ],
)
async def test_search_emails_looks_everywhere(gmail: Trial, search: str, subjects: list[str]) -> None:
    found = await gmail.run("search_emails", search=search)
    assert [each["subject"] for each in found["emails"]] == subjects


async def test_list_messages_gives_ids_of_what_has_all_labels_page_by_page(gmail: Trial) -> None:
    assert len((await gmail.run("list_messages"))["messages"]) == 4
    found = await gmail.run("list_messages", label_ids=["INBOX", "UNREAD"], limit=1)
    more = await gmail.run("list_messages", label_ids=["INBOX", "UNREAD"], page_token=found["next_page_token"])
    assert [len(each["messages"]) for each in (found, more)] == [1, 1]
    assert "labelIds=INBOX&labelIds=UNREAD" in gmail.requests[-1].url
    assert (await gmail.run("list_messages", search="in:drafts"))["messages"] == []


async def test_what_is_in_the_trash_is_listed_only_when_asked_for(gmail: Trial) -> None:
    (message,) = (await gmail.run("list_messages", search="from:news"))["messages"]
    await gmail.run("trash_message", message_id=message["id"])
    assert (await gmail.run("list_messages", search="from:news"))["messages"] == []
    assert (await gmail.run("list_messages", search="from:news", include_spam_trash=True))["messages"] == [message]


async def test_get_message_reads_one_with_its_html_when_wanted(gmail: Trial) -> None:
    (found,) = (await gmail.run("list_messages", search="from:chandlery"))["messages"]
    plain = await gmail.run("get_message", message_id=found["id"])
    rich = await gmail.run("get_message", message_id=found["id"], with_html=True)
    assert (plain["html"], rich["html"]) == (None, "<p>See the <b>files</b>.</p>")
    assert plain["text"] == rich["text"] == "See the files."


async def test_get_attachment_gives_text_as_text_and_the_rest_in_base64(gmail: Trial) -> None:
    (invoice,) = (await gmail.run("search_emails", search="has:attachment"))["emails"]
    csv, pdf = [
        await gmail.run("get_attachment", message_id=invoice["id"], part_id=each["part_id"])
        for each in invoice["attachments"]
    ]
    assert (csv["text"], csv["file_name"]) == ("item,euro\nrope,84.00\npaint,31.50\n", "invoice-2026-014.csv")
    assert base64.b64decode(pdf["base64"]) == b"%PDF-1.4 practice"
    assert (pdf["media_type"], pdf["size"], pdf["is_truncated"]) == ("application/pdf", 17, False)


async def test_a_file_that_is_not_there_or_too_large_is_not_fetched(
    gmail: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    (invoice,) = (await gmail.run("search_emails", search="has:attachment"))["emails"]
    with pytest.raises(NotThere, match="part_id"):
        await gmail.run("get_attachment", message_id=invoice["id"], part_id="7")
    monkeypatch.setattr("adapters.gmail.mailbox._LARGEST_FILE_BYTES", 10)
    with pytest.raises(Rejected, match="larger"):
        await gmail.run("get_attachment", message_id=invoice["id"], part_id="1")
    assert not any("/attachments/" in each.url for each in gmail.requests)


async def test_conversations_are_listed_and_read_the_oldest_message_first(gmail: Trial) -> None:
    (found,) = (await gmail.run("list_threads", search="subject:tide"))["threads"]
    assert found["snippet"] == "Yes, at half past five."
    thread = await gmail.run("get_thread", thread_id=found["id"], text_limit=5)
    assert [each["text"] for each in thread["emails"]] == ["Mara,", "Yes, "]
    assert not thread["is_truncated"]
    first = await gmail.run("list_threads", limit=2)
    rest = await gmail.run("list_threads", limit=2, page_token=first["next_page_token"])
    assert len(first["threads"]) + len(rest["threads"]) == 3


async def test_of_a_very_long_conversation_the_newest_are_given(gmail: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.gmail.mailbox._MOST_IN_THREAD", 1)
    (found,) = (await gmail.run("list_threads", search="subject:tide"))["threads"]
    thread = await gmail.run("get_thread", thread_id=found["id"])
    assert ([each["subject"] for each in thread["emails"]], thread["is_truncated"]) == (["Re: Tide on Saturday"], True)


@pytest.mark.parametrize(
    ("action", "parameters"),
    [("get_message", {"message_id": "nobody"}), ("get_thread", {"thread_id": "nobody"})],
)
async def test_what_is_not_there_is_said_so(gmail: Trial, action: str, parameters: dict[str, str]) -> None:
    with pytest.raises(NotThere):
        await gmail.run(action, **parameters)


async def test_a_message_that_vanishes_while_the_inbox_is_read_is_left_out(gmail: Trial) -> None:
    await gmail.misbehave("404", "GET /gmail/v1/users/me/messages/*")
    assert len((await gmail.run("read_inbox"))["emails"]) == 2


@pytest.mark.parametrize(
    ("fault", "problem"), [("403_secondary", SlowDown), ("429", SlowDown), ("garbage", AnswerGarbled)]
)
async def test_one_failure_while_the_inbox_is_read_ends_it_as_what_it_is(
    gmail: Trial, fault: str, problem: type[ProviderProblem]
) -> None:
    await gmail.misbehave(fault, "GET /gmail/v1/users/me/messages/*")
    with pytest.raises(problem) as raised:
        await gmail.run("read_inbox")
    assert not raised.value.may_have_happened


async def test_a_label_that_is_not_there_is_refused_by_gmail(gmail: Trial) -> None:
    with pytest.raises(Rejected, match="invalidArgument"):
        await gmail.run("list_messages", label_ids=["Label_99"])


@pytest.mark.parametrize(
    ("action", "parameters", "pointer"),
    [
        ("read_inbox", {"limit": 51}, "/limit"),
        ("read_inbox", {"limit": 0}, "/limit"),
        ("read_inbox", {"limit": "5"}, "/limit"),
        ("read_inbox", {"search": "from:a\r\nX: y"}, "/search"),
        ("search_emails", {}, "/search"),
        ("search_emails", {"search": "x" * 1001}, "/search"),
        ("list_messages", {"label_ids": ["IN BOX"]}, "/label_ids/0"),
        ("list_messages", {"limit": 501}, "/limit"),
        ("list_messages", {"page_token": "a b"}, "/page_token"),
        ("get_message", {"message_id": "../labels"}, "/message_id"),
        ("get_message", {"message_id": ""}, "/message_id"),
        ("get_attachment", {"message_id": "a", "part_id": "0/1"}, "/part_id"),
        ("get_thread", {"thread_id": "a", "text_limit": -1}, "/text_limit"),
        ("list_threads", {"unknown": 1}, "/unknown"),
        ("find_sent_email", {"execution": "0" * 32}, "/execution"),
    ],
)
def test_bad_input_is_caught_before_a_call(action: str, parameters: dict[str, object], pointer: str) -> None:
    found = GMAIL.actions[f"gmail.{action}"].check(parameters)  # type: ignore[arg-type]  # wrong on purpose
    assert [each.pointer for each in found] == [pointer]


def test_sending_rights_do_not_let_one_read() -> None:
    assert not any(READ in contained for wider, contained in CONTAINS.items() if wider.endswith(("send", "compose")))
    assert GMAIL.is_usable_scope([MODIFY], READ)
    assert not GMAIL.is_usable_scope([COMPOSE], READ)
