"""An action's way to its service: paths stay in place, pages are walked, effects are accounted for."""

import json

import pytest

from adapters._kit import given
from adapters._kit.call import Query
from adapters._kit.http import AnswerLost as Lost
from adapters._kit.http import CannedTransport
from adapters._kit.http import NotSent as Unsent
from domain.catalogue import Account
from domain.errors import AnswerGarbled, AnswerLost, NotSent, ProviderProblem, ReconnectNeeded, Rejected, Unavailable
from tests.adapters.kit.sample import BASE_URL, KEY, TOKEN, call, in_turn, manifest, reply, urls

LINKED = manifest(http={"base_url": BASE_URL, "pages": {"style": "link", "largest": 2}})
CURSOR = manifest(
    http={
        "base_url": BASE_URL,
        "pages": {"style": "cursor", "size_parameter": "limit", "next": "meta.next", "parameter": "cursor"},
    }
)
FORMED = manifest(
    http={
        "base_url": BASE_URL,
        "pages": {"style": "cursor", "method": "POST", "next": "next", "parameter": "cursor"},
    }
)
COUNTED = manifest(
    http={
        "base_url": BASE_URL,
        "pages": {
            "style": "page",
            "smallest": 5,
            "next": "info.cursor",
            "parameter": "cursor",
            "count": "info.pages",
        },
    }
)
SPARSE = manifest(
    http={"base_url": BASE_URL, "pages": {"style": "cursor", "next": "next", "leaves_out_empty": True}},
)
NUMBERED = manifest(http={"base_url": BASE_URL, "pages": {"style": "page", "next": "nextPage", "parameter": "page"}})


def test_the_account_is_the_connection_s_or_a_person_is_asked() -> None:
    way = call(yes())
    with pytest.raises(ReconnectNeeded, match="which Harbour account"):
        _ = way.account_id
    way.account = Account("b1", "Berth one")
    assert way.account_id == "b1"


def yes(times: int = 1) -> CannedTransport:
    return in_turn(*[reply(200, {})] * times)


def boats(*numbers: int) -> list[dict[str, int]]:
    return [{"number": number} for number in numbers]


# ------------------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("../../user", "..%2F..%2Fuser"),
        ("a/b", "a%2Fb"),
        ("a?b=c#d", "a%3Fb%3Dc%23d"),
        ("%2e%2e", "%252e%252e"),
        ("...", "..."),
        ("kö{x}", "k%C3%B6%7Bx%7D"),
        (7, "7"),
    ],
)
async def test_a_value_cannot_leave_its_place_in_the_path(value: str | int, written: str) -> None:
    transport = yes()
    await call(transport).get("quays/{quay}/boats", quay=value)
    assert urls(transport) == [f"/quays/{written}/boats"]


@pytest.mark.parametrize("value", ["", ".", ".."])
async def test_a_value_that_would_vanish_from_the_path_is_never_sent(value: str) -> None:
    transport = yes()
    with pytest.raises(Rejected, match="`quay`") as refused:
        await call(transport).delete("quays/{quay}", quay=value)
    assert transport.requests == []
    assert not refused.value.may_have_happened


async def test_a_parameter_may_be_called_path() -> None:
    transport = yes()
    await call(transport).get("files/{path}", path="a/b")
    assert urls(transport) == ["/files/a%2Fb"]


async def test_a_query_is_written_as_services_expect() -> None:
    transport = yes()
    query: Query = {"q": "a b&c", "free": True, "left_out": None, "ids[]": ["1", "2"], "n": 3}
    await call(transport).get("boats", query=query)
    assert urls(transport) == ["/boats?q=a+b%26c&free=true&ids%5B%5D=1&ids%5B%5D=2&n=3"]


async def test_requests_are_signed_and_carry_json_or_a_form() -> None:
    transport = yes(2)
    await call(transport).post("boats", json={"name": "Ida"})
    await call(transport).post("boats", form={"name": "Ida B."})
    first, second = transport.requests
    assert first.headers["authorization"] == f"Bearer {TOKEN}"
    assert json.loads(first.body or b"") == {"name": "Ida"}
    assert second.headers["content-type"] == "application/x-www-form-urlencoded"
    assert second.body == b"name=Ida+B."


async def test_our_key_goes_to_services_that_honour_one_and_only_with_writes() -> None:
    keyed = manifest(http={"base_url": BASE_URL, "idempotency_header": "idempotency-key"})
    transport = yes(2)
    await call(transport, keyed).get("boats")
    await call(transport, keyed).post("boats")
    assert ["idempotency-key" in each.headers for each in transport.requests] == [False, True]
    assert transport.requests[1].headers["idempotency-key"] == str(KEY)


def test_what_is_not_given_is_left_out_of_a_body() -> None:
    assert given(a=None, b=0, c="", d=[], e=False) == {"b": 0, "c": "", "d": [], "e": False}


# ----------------------------------------------------------------------------------------------------- pages


async def test_link_headers_are_followed_by_their_query_only() -> None:
    elsewhere = '<https://evil.example/steal?page=2&labels=a%2Cb&labels=c>; rel="next"'
    transport = in_turn(
        reply(200, boats(1, 2), link=elsewhere + ', <https://x/?page=9>; rel="last"'), reply(200, boats(3))
    )
    found = await call(transport, LINKED).pages("boats", limit=5, query={"free": True})
    assert found == boats(1, 2, 3)
    assert urls(transport) == [
        "/boats?free=true&per_page=2",
        "/boats?free=true&per_page=2&page=2&labels=a%2Cb&labels=c",
    ]


async def test_a_comma_inside_a_link_does_not_break_it() -> None:
    transport = in_turn(reply(200, [], link='<https://x/?ids=1,2&page=2>; rel="next"'), reply(200, []))
    await call(transport, LINKED).pages("boats", limit=2)
    assert urls(transport)[1] == "/boats?per_page=2&ids=1%2C2&page=2"


async def test_cursors_are_followed_until_they_are_empty() -> None:
    transport = in_turn(
        reply(200, {"boats": boats(1), "meta": {"next": "abc"}}),
        reply(200, {"boats": boats(2), "meta": {"next": ""}}),
    )
    assert await call(transport, CURSOR).pages("boats", limit=9, items="boats") == boats(1, 2)
    assert urls(transport) == ["/boats?limit=9", "/boats?limit=9&cursor=abc"]


async def test_cursors_go_into_a_form_where_lists_are_posted() -> None:
    transport = in_turn(reply(200, {"b": boats(1), "next": "n"}), Lost("timed_out"))
    way = call(transport, FORMED)
    with pytest.raises(AnswerLost) as lost:
        await way.pages("list", limit=9, items="b")
    assert [each.body for each in transport.requests] == [b"per_page=9", b"per_page=9&cursor=n"]
    assert not lost.value.may_have_happened


async def test_page_numbers_are_followed_until_there_is_none() -> None:
    transport = in_turn(reply(200, {"b": boats(1), "nextPage": 2}), reply(200, {"b": boats(2)}))
    assert await call(transport, NUMBERED).pages("boats", limit=9, items="b") == boats(1, 2)
    assert urls(transport)[1] == "/boats?per_page=9&page=2"


async def test_pages_that_are_counted_are_asked_for_up_to_the_last() -> None:
    transport = in_turn(*(reply(200, {"b": boats(number), "info": {"pages": 3}}) for number in (1, 2, 3)))
    assert await call(transport, COUNTED).pages("boats", limit=9, items="b") == boats(1, 2, 3)
    assert urls(transport) == ["/boats?per_page=9", "/boats?per_page=9&page=2", "/boats?per_page=9&page=3"]


@pytest.mark.parametrize("count", [None, 0, 1, "3", True])
async def test_a_count_that_says_no_more_ends_the_list(count: int | str | None) -> None:
    transport = in_turn(reply(200, {"b": boats(1), "info": {"pages": count}}))
    assert await call(transport, COUNTED).pages("boats", limit=9, items="b") == boats(1)


async def test_a_cursor_goes_before_the_count() -> None:
    transport = in_turn(
        reply(200, {"b": boats(1), "info": {"pages": 2, "cursor": "abc"}}),
        reply(200, {"b": boats(2), "info": {"cursor": ""}}),
    )
    assert await call(transport, COUNTED).pages("boats", limit=9, items="b") == boats(1, 2)
    assert urls(transport)[1] == "/boats?per_page=9&cursor=abc"


async def test_no_page_is_smaller_than_the_service_allows() -> None:
    transport = in_turn(reply(200, {"b": boats(1, 2, 3)}))
    assert await call(transport, COUNTED).pages("boats", limit=1, items="b") == boats(1)
    assert urls(transport) == ["/boats?per_page=5"]


async def test_no_more_is_read_than_asked_for() -> None:
    transport = in_turn(reply(200, boats(1, 2), link='<https://x/?page=2>; rel="next"'))
    assert await call(transport, LINKED).pages("boats", limit=1) == boats(1)
    assert urls(transport) == ["/boats?per_page=1"]


async def test_only_what_is_kept_counts() -> None:
    following = '<https://x/?page=2>; rel="next"'
    transport = in_turn(reply(200, boats(1, 2), link=following), reply(200, boats(3, 4), link=following))
    found = await call(transport, LINKED).pages("boats", limit=2, keep=lambda boat: boat["number"] in (2, 4))
    assert found == boats(2, 4)


async def test_a_list_that_never_ends_is_left_after_fifty_pages() -> None:
    transport = CannedTransport(lambda _: reply(200, [], link='<https://x/?page=1>; rel="next"'))
    assert await call(transport, LINKED).pages("boats", limit=5) == []
    assert len(transport.requests) == 50


@pytest.mark.parametrize("body", [{}, [1], "text", None])
async def test_where_no_list_is_the_answer_is_garbled(body: dict[str, int] | list[int] | str | None) -> None:
    with pytest.raises(AnswerGarbled):
        await call(in_turn(reply(200, body)), LINKED).pages("boats", limit=5)


# --------------------------------------------------------------------------------------------------- effects


@pytest.mark.parametrize("failure", [Lost("timed_out"), Lost("bad_answer"), reply(500), reply(502)])
async def test_a_lost_reading_has_not_happened(failure: Exception) -> None:
    with pytest.raises(ProviderProblem) as problem:
        await call(in_turn(failure)).get("boats")
    assert not problem.value.may_have_happened


@pytest.mark.parametrize("failure", [Lost("timed_out"), Lost("body_too_large"), reply(500), reply(502)])
async def test_a_lost_write_may_have_happened(failure: Exception) -> None:
    way = call(in_turn(failure))
    with pytest.raises(ProviderProblem) as problem:
        await way.post("boats")
    assert problem.value.may_have_happened
    assert way.has_acted


@pytest.mark.parametrize("failure", [Unsent("connect_failed"), reply(503), reply(422), reply(429)])
async def test_a_write_that_was_not_done_has_not_happened(failure: Exception) -> None:
    way = call(in_turn(failure))
    with pytest.raises(ProviderProblem) as problem:
        await way.post("boats")
    assert not problem.value.may_have_happened
    assert not way.has_acted


@pytest.mark.parametrize("failure", [Lost("timed_out"), Unsent("connect_failed"), reply(404), reply(429)])
async def test_whatever_fails_after_a_write_may_have_happened(failure: Exception) -> None:
    way = call(in_turn(reply(201), failure))
    await way.post("boats")
    with pytest.raises(ProviderProblem) as problem:
        await way.get("boats")
    assert problem.value.may_have_happened


async def test_a_harmless_step_leaves_nothing_to_look_for() -> None:
    way = call(in_turn(reply(201), Lost("timed_out")))
    await way.post("drafts", harmless=True)
    with pytest.raises(AnswerLost) as lost:
        await way.post("drafts", harmless=True)
    assert not lost.value.may_have_happened


async def test_a_passed_deadline_sends_nothing() -> None:
    transport = yes()
    with pytest.raises(NotSent, match="deadline"):
        await call(transport, seconds=-1).post("boats")
    assert transport.requests == []


async def test_an_out_of_order_service_can_be_asked_again() -> None:
    with pytest.raises(Unavailable) as problem:
        await call(in_turn(reply(503, None, retry_after="5"))).get("boats")
    assert problem.value.is_retryable
    assert problem.value.retry_at is not None


async def test_a_list_that_is_left_out_is_empty_only_where_the_manifest_says_so() -> None:
    pages = [reply(200, {"next": "b"}), reply(200, {"boats": boats(1)})]
    assert await call(in_turn(*pages), SPARSE).pages("boats", limit=5, items="boats") == boats(1)
    with pytest.raises(AnswerGarbled):
        await call(in_turn(reply(200, {"boats": "none"})), SPARSE).pages("boats", limit=5, items="boats")
    with pytest.raises(AnswerGarbled):
        await call(in_turn(reply(200, {})), CURSOR).pages("boats", limit=5, items="boats")
