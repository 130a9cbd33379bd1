"""Teams, tried against the sandbox."""

from typing import Any

import pytest

from adapters.microsoft365.sandbox_seed import CHANNEL_ID, CHAT_ID, TEAM_ID
from adapters.microsoft365.sandbox_state import TOKEN_ADA_PROFILE, TOKEN_BEN
from domain.errors import Forbidden, NotThere
from tests.adapters.microsoft365.office import Office, mistakes

GENERAL = {"team_id": TEAM_ID, "channel_id": CHANNEL_ID}


async def test_teams_and_channels_are_listed(ada: Office) -> None:
    assert [each["name"] for each in await ada.rows("list_teams")] == ["Harbour office"]
    assert [each["name"] for each in await ada.rows("list_team_channels", team_id=TEAM_ID)] == ["General", "Arrivals"]
    assert len(await ada.rows("list_team_channels", team_id=TEAM_ID, name="Arrivals")) == 1
    assert await ada.rows("list_team_channels", team_id=TEAM_ID, name="O'Brien") == []
    assert ada.queries("/channels")[2]["$filter"] == ["displayName eq 'O''Brien'"]


async def test_a_message_is_posted_in_a_channel_and_answered(ada: Office) -> None:
    posted = await ada.row("send_channel_message", **GENERAL, text="<b>Fog</b>", is_html=True, subject="Weather")
    assert (posted["sender"], posted["subject"], posted["is_html"]) == ("Ada Quay", "Weather", True)
    answer = await ada.row("send_channel_message", **GENERAL, text="Aye.", reply_to=posted["id"])
    assert answer["id"] != posted["id"]
    assert ada.paths()[1] == f"POST /teams/{TEAM_ID}/channels/{CHANNEL_ID}/messages/{posted['id']}/replies"
    with pytest.raises(NotThere):
        await ada.run("send_channel_message", **GENERAL, text="To nobody", reply_to="1")


async def test_chats_are_listed_with_who_is_in_them(ada: Office) -> None:
    [chat] = await ada.rows("list_chats")
    assert (chat["id"], chat["topic"], chat["members"]) == (CHAT_ID, "Pilots", ["Ada Quay", "Ben Tide"])


async def test_a_chat_is_written_in_and_read_newest_first(ada: Office) -> None:
    sent = await ada.row("send_chat_message", chat_id=CHAT_ID, text="Good night")
    assert sent["chat_id"] == CHAT_ID
    found = await ada.rows("list_chat_messages", chat_id=CHAT_ID, limit=2)
    assert [(each["sender"], each["text"]) for each in found] == [("Ada Quay", "Good night"), ("Ben Tide", "Aye.")]


async def test_a_direct_message_goes_to_the_one_chat_of_two(ada: Office) -> None:
    first = await ada.row("send_direct_message", to="ben@harbour.example", text="Are you up?")
    second = await ada.row("send_direct_message", to="ben@harbour.example", text="Ben?")
    assert first["chat_id"] == second["chat_id"]
    ben = ada.as_somebody_else(TOKEN_BEN)
    read = await ben.rows("list_chat_messages", chat_id=first["chat_id"])
    assert [each["text"] for each in read] == ["Ben?", "Are you up?"]
    bound = [each["user@odata.bind"] for each in ada.bodies("/chats")[0]["members"]]
    assert bound[1] == "https://graph.microsoft.com/v1.0/users('ben@harbour.example')"


async def test_nobody_can_be_written_to_who_is_not_there(ada: Office) -> None:
    with pytest.raises(NotThere) as refused:
        await ada.run("send_direct_message", to="o'brien@ropes.example", text="Ahoy")
    assert not refused.value.may_have_happened
    assert ada.bodies("/chats")[0]["members"][1]["user@odata.bind"].endswith("/users('o''brien@ropes.example')")


async def test_a_missing_permission_is_forbidden_in_the_words_of_teams(ada: Office) -> None:
    with pytest.raises(Forbidden, match="403"):
        await ada.as_somebody_else(TOKEN_ADA_PROFILE).run("list_teams")


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"team_id": "Harbour office"}, "/team_id"),
        ({"channel_id": "19:a/b@thread"}, "/channel_id"),
        ({"text": ""}, "/text"),
        ({"text": "x" * 20_001}, "/text"),
        ({"reply_to": "1/../2"}, "/reply_to"),
        ({"is_html": 1}, "/is_html"),
    ],
)
def test_what_is_no_message_is_caught_before_it_leaves(parameters: dict[str, Any], pointer: str) -> None:
    assert mistakes("send_channel_message", **{**GENERAL, "text": "Ahoy", **parameters}) == [pointer]
