"""Addresses that a service names: the next page, where a file is handed out, and what it puts before a scope."""

import pytest

from adapters._kit.http import CannedTransport
from domain.errors import AnswerGarbled, NotThere, Rejected, Unavailable
from tests.adapters.kit.sample import BASE_URL, call, in_turn, integration, manifest, reply, urls, yes_to_all

PAGED = manifest(
    http={
        "base_url": BASE_URL,
        "pages": {"style": "address", "size_parameter": "$top", "largest": 2, "next": "@odata.nextLink"},
    }
)
HANDING = manifest(http={"base_url": BASE_URL, "downloads": ["files.example"], "headers": {"x-ours": "1"}})
LOGIN = {
    "authorize_url": "https://harbour.example/a",
    "token_url": "https://harbour.example/t",
    "scope_prefix": "https://harbour.example/",
}


# ----------------------------------------------------------------------------------------------------------- pages


async def test_only_the_query_of_a_next_address_is_taken() -> None:
    elsewhere = "https://evil.example/steal?$skiptoken=a%2Fb&$top=2"
    transport = in_turn(
        reply(200, {"value": [{"id": 1}, {"id": 2}], "@odata.nextLink": elsewhere}), reply(200, {"value": [{"id": 3}]})
    )
    found = await call(transport, PAGED).pages("boats", limit=5, items="value", query={"$filter": "free eq true"})
    assert [each["id"] for each in found] == [1, 2, 3]
    asked = "/boats?%24filter=free+eq+true&%24top=2"
    assert urls(transport) == [asked, f"{asked}&%24skiptoken=a%2Fb"]


@pytest.mark.parametrize("address", ["https://harbour.example/v1/boats", "nothing", "https://[", "?"])
async def test_a_next_address_without_a_query_is_no_next_page(address: str) -> None:
    transport = CannedTransport(lambda _: reply(200, {"value": [{"id": 1}], "@odata.nextLink": address}))
    with pytest.raises(AnswerGarbled):
        await call(transport, PAGED).pages("boats", limit=5, items="value")
    assert len(transport.requests) == 1


@pytest.mark.parametrize("last", [{}, {"@odata.nextLink": None}, {"@odata.nextLink": ""}])
async def test_a_list_ends_where_no_next_address_is_named(last: dict[str, None]) -> None:
    transport = in_turn(reply(200, {"value": [{"id": 1}], **last}))
    assert len(await call(transport, PAGED).pages("boats", limit=5, items="value")) == 1


# ------------------------------------------------------------------------------------------------------- downloads


async def test_a_file_is_answered_by_the_service_itself_or_from_where_it_hands_files_out() -> None:
    direct = in_turn(reply(200, b"abc"))
    assert (await call(direct, HANDING).download("files/{name}", name="a/b")).incoming.body == b"abc"
    assert urls(direct) == ["/files/a%2Fb"]
    for place in (
        "https://files.example/x?sig=1",
        "https://eu.files.example/x",
        f"{BASE_URL}/x",
        "https://harbour.example/x",
    ):
        transport = in_turn(reply(302, None, location=place), reply(200, b"abc"))
        assert (await call(transport, HANDING).download("files")).incoming.body == b"abc"
        assert "authorization" in transport.requests[0].headers
        assert (transport.requests[1].url, transport.requests[1].headers) == (place, {})


@pytest.mark.parametrize(
    "place",
    [
        "https://evil.example/x",
        "https://files.example.evil.example/x",
        "https://notfiles.example/x",
        "http://files.example/x",
        "http://harbour.example/x",
        "https://files.example:8443/x",
        "https://me@files.example/x",
        "https://169.254.169.254/x",
        "/x",
        "",
        "https://[",
    ],
)
async def test_a_file_is_fetched_from_nowhere_else(place: str) -> None:
    transport = in_turn(reply(302, None, location=place))
    with pytest.raises(Rejected, match="not known as its own") as refused:
        await call(transport, HANDING).download("files")
    assert place not in refused.value.message or not place
    assert len(transport.requests) == 1


async def test_one_redirect_is_followed_and_no_more() -> None:
    place = "https://files.example/x"
    transport = in_turn(reply(302, None, location=place), reply(302, None, location=place))
    with pytest.raises(Unavailable, match="did not hand out the file"):
        await call(transport, HANDING).download("files")


async def test_what_hands_files_out_has_not_seen_the_credential_and_cannot_judge_it() -> None:
    transport = in_turn(reply(302, None, location="https://files.example/x"), reply(401, {"error": "who?"}))
    with pytest.raises(Unavailable) as refused:
        await call(transport, HANDING).download("files")
    assert (refused.value.status, refused.value.may_have_happened) == (401, False)
    with pytest.raises(NotThere):
        await call(in_turn(reply(404, {})), HANDING).download("files")


# ---------------------------------------------------------------------------------------------------------- scopes


def test_what_a_service_puts_before_a_scope_is_left_away() -> None:
    scopes = {
        "boats.write": {"explanation": "Move boats.", "includes": ["boats.read"]},
        "boats.read": {"explanation": "See boats."},
    }
    harbour = integration(yes_to_all(), oauth2=LOGIN, scopes=scopes)
    assert harbour.is_usable_scope(["https://harbour.example/boats.write"], "boats.read")
    assert harbour.is_usable_scope(["boats.write"], "boats.write")
    assert not harbour.is_usable_scope(["https://evil.example/boats.write"], "boats.read")
    assert [each.explanation for each in harbour.explain(["https://harbour.example/boats.read"])] == ["See boats."]
