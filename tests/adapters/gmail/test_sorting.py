"""Labels, read and unread, archive, trash."""

from typing import Any

import pytest

from domain.errors import AlreadyThere, NotThere, Rejected
from tests.adapters.gmail.conftest import GMAIL
from tests.support.trials import Trial


async def newest(gmail: Trial) -> str:
    (found,) = (await gmail.run("list_messages", search="from:news"))["messages"]
    return str(found["id"])


async def test_modify_message_marks_as_read_archives_and_labels(gmail: Trial) -> None:
    message = await newest(gmail)
    done = await gmail.run(
        "modify_message", message_id=message, add_label_ids=["STARRED", "Label_1"], remove_label_ids=["UNREAD", "INBOX"]
    )
    assert done["label_ids"] == ["STARRED", "Label_1"]
    again = await gmail.run("modify_message", message_id=message, add_label_ids=["STARRED"])
    assert again == done
    assert message not in [each["id"] for each in (await gmail.run("read_inbox"))["emails"]]


async def test_modify_message_without_labels_is_not_sent(gmail: Trial) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        await gmail.run("modify_message", message_id="m1")
    assert gmail.requests == []


@pytest.mark.parametrize("label", ["Label_99", "SENT"])
async def test_modify_message_with_a_label_that_gmail_does_not_take_is_refused(gmail: Trial, label: str) -> None:
    with pytest.raises(Rejected):
        await gmail.run("modify_message", message_id=await newest(gmail), add_label_ids=[label])


async def test_trash_message_puts_it_into_the_trash_and_twice_is_once(gmail: Trial) -> None:
    message = await newest(gmail)
    first = await gmail.run("trash_message", message_id=message)
    assert first["label_ids"] == ["UNREAD", "TRASH"]
    assert await gmail.run("trash_message", message_id=message) == first
    with pytest.raises(NotThere):
        await gmail.run("trash_message", message_id="nobody")


async def test_list_labels_tells_gmail_s_own_from_those_that_people_made(gmail: Trial) -> None:
    found = {each["name"]: each for each in await gmail.run("list_labels")}
    assert found["INBOX"]["is_system"]
    assert found["Invoices"] == {"id": "Label_1", "name": "Invoices", "is_system": False}


async def test_create_label_makes_one_once(gmail: Trial) -> None:
    look = {"text": "#ffffff", "background": "#16a766"}
    made = await gmail.run(
        "create_label", name="Boats/2026", in_label_list="labelShow", in_message_list="show", color=look
    )
    assert made in await gmail.run("list_labels")
    with pytest.raises(AlreadyThere):
        await gmail.run("create_label", name="boats/2026")


@pytest.mark.parametrize(
    ("action", "parameters", "pointer"),
    [
        ("create_label", {"name": ""}, "/name"),
        ("create_label", {"name": "a\nb"}, "/name"),
        ("create_label", {"name": "x" * 226}, "/name"),
        ("create_label", {"name": "a", "in_label_list": "show"}, "/in_label_list"),
        ("create_label", {"name": "a", "color": {"text": "red", "background": "#000000"}}, "/color/text"),
        ("create_label", {"name": "a", "color": {"text": "#000000"}}, "/color/background"),
        ("modify_message", {"message_id": "a", "add_label_ids": "INBOX"}, "/add_label_ids"),
        ("modify_message", {"message_id": "a", "add_label_ids": ["A"] * 101}, "/add_label_ids"),
        ("trash_message", {}, "/message_id"),
    ],
)
def test_bad_input_is_caught_before_a_call(action: str, parameters: Any, pointer: str) -> None:
    found = GMAIL.actions[f"gmail.{action}"].check(parameters)
    assert [each.pointer for each in found] == [pointer]
