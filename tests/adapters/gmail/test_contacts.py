"""Google contacts, on a host of their own."""

import json
from typing import Any

import pytest

from domain.errors import AlreadyThere, NotThere, Rejected, Unavailable
from tests.adapters.gmail.conftest import GMAIL
from tests.support.trials import Trial


async def test_list_contacts_reads_the_address_book_in_order_page_by_page(gmail: Trial) -> None:
    first = await gmail.run("list_contacts", limit=2, order="LAST_NAME_ASCENDING")
    rest = await gmail.run("list_contacts", limit=2, order="LAST_NAME_ASCENDING", page_token=first["next_page_token"])
    assert [each["name"] for each in [*first["contacts"], *rest["contacts"]]] == ["Olu Pike", "Jon Reef", "Ines Vale"]
    assert rest["next_page_token"] is None
    assert first["contacts"][0]["emails"] == ["olu@chandlery.example"]


@pytest.mark.parametrize(("query", "names"), [("jon", ["Jon Reef"]), ("Sail", ["Ines Vale"]), ("ohn", [])])
async def test_search_contacts_finds_by_how_words_begin(gmail: Trial, query: str, names: list[str]) -> None:
    assert [each["name"] for each in await gmail.run("search_contacts", query=query)] == names
    assert [each.url.partition("query=")[2].partition("&")[0] for each in gmail.requests] == ["", query]


async def test_create_contact_keeps_all_of_it(gmail: Trial) -> None:
    made = await gmail.run(
        "create_contact",
        given_name="Ada",
        family_name="Lind",
        emails=["ada@example.com", "a@example.org"],
        phones=["+46 8 5550 14"],
        organization="Lantern",
        job_title="Keeper",
        notes="Met at the slipway.",
    )
    assert {name: value for name, value in made.items() if name not in ("id", "etag")} == {
        "name": "Ada Lind",
        "emails": ["ada@example.com", "a@example.org"],
        "phones": ["+46 8 5550 14"],
        "organization": "Lantern",
        "job_title": "Keeper",
        "notes": "Met at the slipway.",
    }
    assert made in (await gmail.run("list_contacts"))["contacts"]
    plain = await gmail.run("create_contact", given_name="Bo")
    assert json.loads(gmail.requests[-1].body or b"") == {"names": [{"givenName": "Bo"}]}
    assert (plain["emails"], plain["organization"]) == ([], None)


async def test_update_contact_changes_what_is_given_and_nothing_else(gmail: Trial) -> None:
    (jon,) = await gmail.run("search_contacts", query="jon")
    changed = await gmail.run(
        "update_contact", contact_id=jon["id"], etag=jon["etag"], emails=["jon@reef.example"], notes="Moved."
    )
    assert (changed["emails"], changed["phones"], changed["notes"]) == (["jon@reef.example"], jon["phones"], "Moved.")
    assert "updatePersonFields=emailAddresses%2Cbiographies" in gmail.requests[-1].url
    emptied = await gmail.run("update_contact", contact_id=jon["id"], etag=changed["etag"], emails=[])
    assert emptied["emails"] == []


async def test_update_contact_by_an_old_etag_is_a_conflict(gmail: Trial) -> None:
    (jon,) = await gmail.run("search_contacts", query="jon")
    asked = {"contact_id": jon["id"], "etag": jon["etag"], "given_name": "John", "family_name": "Reef"}
    await gmail.run("update_contact", **asked)
    with pytest.raises(AlreadyThere):
        await gmail.run("update_contact", **asked)


async def test_update_contact_without_a_change_is_not_sent(gmail: Trial) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        await gmail.run("update_contact", contact_id="c7301", etag="%x")
    assert gmail.requests == []


async def test_delete_contact_removes_it_once(gmail: Trial) -> None:
    assert await gmail.run("delete_contact", contact_id="c7301") is None
    assert "c7301" not in [each["id"] for each in (await gmail.run("list_contacts"))["contacts"]]
    with pytest.raises(NotThere):
        await gmail.run("delete_contact", contact_id="c7301")


async def test_a_contact_whose_making_was_lost_may_be_there(gmail: Trial) -> None:
    await gmail.misbehave("500", "POST *createContact")
    with pytest.raises(Unavailable) as problem:
        await gmail.run("create_contact", given_name="Ada")
    assert problem.value.may_have_happened


@pytest.mark.parametrize(
    ("action", "parameters", "pointer"),
    [
        ("create_contact", {}, "/given_name"),
        ("create_contact", {"given_name": ""}, "/given_name"),
        ("create_contact", {"given_name": "A", "emails": ["x"]}, "/emails/0"),
        ("create_contact", {"given_name": "A", "phones": ["1"] * 51}, "/phones"),
        ("update_contact", {"contact_id": "people/c1", "etag": "x"}, "/contact_id"),
        ("update_contact", {"contact_id": "c1"}, "/etag"),
        ("delete_contact", {"contact_id": "c1:x"}, "/contact_id"),
        ("search_contacts", {"query": ""}, "/query"),
        ("search_contacts", {"query": "a", "limit": 31}, "/limit"),
        ("list_contacts", {"limit": 1001}, "/limit"),
        ("list_contacts", {"order": "NEWEST"}, "/order"),
    ],
)
def test_bad_input_is_caught_before_a_call(action: str, parameters: Any, pointer: str) -> None:
    found = GMAIL.actions[f"gmail.{action}"].check(parameters)
    assert [each.pointer for each in found] == [pointer]
