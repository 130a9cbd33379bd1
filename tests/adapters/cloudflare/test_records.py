"""DNS records at Cloudflare: one by one, and all of a name at once."""

from collections.abc import AsyncIterator, Sequence

import pytest

from adapters.cloudflare.results import record_of
from adapters.cloudflare.sandbox_state import OTHER_ACCOUNT_ID
from domain.errors import AlreadyThere, AnswerGarbled, NotThere, ProviderProblem, Rejected
from domain.json import Json
from tests.adapters.cloudflare.shop import open_shop
from tests.support.overheard import Connected

DOMAIN = "harbour-office.com"


@pytest.fixture
async def shop() -> AsyncIterator[Connected]:
    async with open_shop() as found:
        yield found


async def answers(shop: Connected, type: str, host: str) -> Sequence[Json]:
    """The answers of one type and host, as the list tells them."""
    found = await shop.rows("list_dns_records", domain=DOMAIN)
    return sorted(str(each["answer"]) for each in found if (each["type"], each["host"]) == (type, host))


# -------------------------------------------------------------------------------- one by one


async def test_a_record_is_created_replaced_and_deleted(shop: Connected) -> None:
    made = await shop.row("create_dns_record", domain=DOMAIN, type="A", host="pier", answer="203.0.113.7", ttl=600)
    changed = await shop.row(
        "update_dns_record", domain=DOMAIN, record_id=made["id"], type="A", host="pier", answer="203.0.113.8"
    )
    assert await answers(shop, "A", "pier") == ["203.0.113.8"]
    assert (changed["id"], changed["ttl"], changed["proxied"]) == (made["id"], 300, False)

    assert await shop.run("delete_dns_record", domain=DOMAIN, record_id=made["id"]) is None
    assert await answers(shop, "A", "pier") == []
    with pytest.raises(NotThere):
        await shop.run("delete_dns_record", domain=DOMAIN, record_id=made["id"])


async def test_hosts_are_within_the_domain_here_and_whole_at_the_service(shop: Connected) -> None:
    hosts = {"@": "@", DOMAIN: "@", "pier": "pier", f"Quay.{DOMAIN}": "quay"}
    for host, within in hosts.items():
        made = await shop.row("create_dns_record", domain=DOMAIN, type="TXT", host=host, answer=f"seen-{host}")
        assert made["host"] == within
    sent = [body["name"] for body in shop.bodies("/dns_records")]
    assert sent == [DOMAIN, DOMAIN, f"pier.{DOMAIN}", f"quay.{DOMAIN}"]


async def test_quotes_around_text_belong_to_the_service(shop: Connected) -> None:
    made = await shop.row("create_dns_record", domain=DOMAIN, type="TXT", host="_dmarc", answer="v=DMARC1; p=none")
    assert made["answer"] == "v=DMARC1; p=none"
    assert await answers(shop, "TXT", "@") == ["v=spf1 -all"]


async def test_an_answer_in_parts_is_put_together_and_taken_apart(shop: Connected) -> None:
    service = await shop.row(
        "create_dns_record", domain=DOMAIN, type="SRV", host="_sip._tcp", answer="5 5060 sip.example.org.", priority=10
    )
    authority = await shop.row(
        "create_dns_record", domain=DOMAIN, type="CAA", host="@", answer='0 ISSUE "ca.example.org"'
    )
    assert (service["answer"], service["priority"]) == ("5 5060 sip.example.org", 10)
    assert authority["answer"] == '0 issue "ca.example.org"'
    assert [body["data"] for body in shop.bodies("/dns_records")] == [
        {"priority": 10, "weight": 5, "port": 5060, "target": "sip.example.org"},
        {"flags": 0, "tag": "issue", "value": "ca.example.org"},
    ]


async def test_a_proxied_record_stays_so_until_somebody_says_otherwise(shop: Connected) -> None:
    (top,) = [each for each in await shop.rows("list_dns_records", domain=DOMAIN) if each["type"] == "A"]
    record: dict[str, Json] = {"domain": DOMAIN, "record_id": top["id"], "type": "A", "host": "@"}
    changed = await shop.row("update_dns_record", **record, answer="203.0.113.11")
    assert (changed["proxied"], changed["ttl"]) == (True, 1)
    changed = await shop.row("update_dns_record", **record, answer="203.0.113.11", proxied=False)
    assert (changed["proxied"], changed["ttl"]) == (False, 300)
    changed = await shop.row("update_dns_record", **record, answer="203.0.113.11", ttl=1)
    assert (changed["proxied"], changed["ttl"]) == (False, 1)


async def test_a_proxied_address_can_become_a_text(shop: Connected) -> None:
    (top,) = [each for each in await shop.rows("list_dns_records", domain=DOMAIN) if each["type"] == "A"]
    changed = await shop.row(
        "update_dns_record", domain=DOMAIN, record_id=top["id"], type="TXT", host="@", answer="moored"
    )
    assert (changed["type"], changed["answer"], changed["proxied"]) == ("TXT", "moored", False)


WRONG: list[tuple[dict[str, Json], str]] = [
    ({"type": "MX", "answer": "mail.example.org"}, "priority"),
    ({"type": "SRV", "answer": "sip.example.org", "priority": 1}, "weight port target"),
    ({"type": "SRV", "answer": "5 5060 sip.example.org"}, "priority"),
    ({"type": "CAA", "answer": "letsencrypt.org"}, "flags, tag and value"),
    ({"type": "TXT", "answer": "x", "proxied": True}, "cannot be proxied"),
]


@pytest.mark.parametrize(("record", "why"), WRONG)
async def test_what_cannot_be_is_refused_before_anything_is_asked(
    shop: Connected, record: dict[str, Json], why: str
) -> None:
    answer = record.pop("answer")
    with pytest.raises(Rejected, match=why):
        await shop.run("create_dns_record", domain=DOMAIN, host="pier", answer=answer, **record)
    with pytest.raises(Rejected, match=why):
        await shop.run("update_dns_record", domain=DOMAIN, record_id="0" * 32, host="pier", answer=answer, **record)
    with pytest.raises(Rejected, match=why):
        await shop.run("upsert_dns_record", domain=DOMAIN, host="pier", values=[answer], **record)
    record["answer"] = answer
    assert shop.transport.heard == []


async def test_the_same_record_twice_is_a_conflict_and_what_cannot_be_is_refused(shop: Connected) -> None:
    with pytest.raises(AlreadyThere, match="81058"):
        await shop.run("create_dns_record", domain=DOMAIN, type="TXT", host="@", answer="v=spf1 -all")
    with pytest.raises(AlreadyThere, match="81053"):
        await shop.run("create_dns_record", domain=DOMAIN, type="A", host="www", answer="203.0.113.7")
    with pytest.raises(Rejected, match="9005"):
        await shop.run("create_dns_record", domain=DOMAIN, type="A", host="pier", answer="not-an-address")


@pytest.mark.parametrize("domain", ["quayside-cafe.com", "nowhere.example", f"www.{DOMAIN}"])
async def test_what_is_no_zone_of_the_account_has_no_records(shop: Connected, domain: str) -> None:
    with pytest.raises(NotThere, match="no zone"):
        await shop.run("list_dns_records", domain=domain)
    assert {query["account.id"][0] for query in shop.queries("/zones")} != {OTHER_ACCOUNT_ID}


async def test_a_long_list_is_read_to_its_end(shop: Connected) -> None:
    values: list[Json] = [f"203.0.113.{number}" for number in range(50)]
    await shop.run("upsert_dns_record", domain=DOMAIN, type="A", host="pier", values=values)
    assert len(await shop.rows("list_dns_records", domain=DOMAIN)) == 54
    assert len(await shop.rows("list_dns_records", domain=DOMAIN, limit=3)) == 3


# -------------------------------------------------------------------------------- all at once


@pytest.mark.parametrize(
    ("before", "values", "asked"),
    [
        ((), ["203.0.113.1"], ["POST"]),
        (("203.0.113.1",), ["203.0.113.1"], []),
        (("203.0.113.1",), ["203.0.113.2"], ["PATCH"]),
        (("203.0.113.1",), ["203.0.113.1", "203.0.113.2"], ["POST"]),
        (("203.0.113.1", "203.0.113.2"), ["203.0.113.2"], ["DELETE"]),
        (("203.0.113.1", "203.0.113.2"), ["203.0.113.3"], ["PATCH", "DELETE"]),
    ],
)
async def test_only_what_differs_is_changed(
    shop: Connected, before: Sequence[str], values: list[Json], asked: list[str]
) -> None:
    for answer in before:
        await shop.run("create_dns_record", domain=DOMAIN, type="A", host="pier", answer=answer)
    shop.transport.heard.clear()

    made = await shop.rows("upsert_dns_record", domain=DOMAIN, type="A", host="pier", values=values)

    assert shop.asked(writes=True) == asked
    assert [each["answer"] for each in made] == values
    assert await answers(shop, "A", "pier") == values


async def test_other_types_and_hosts_are_left_alone(shop: Connected) -> None:
    before = await shop.rows("list_dns_records", domain=DOMAIN)
    await shop.run("upsert_dns_record", domain=DOMAIN, type="A", host="www2", values=["203.0.113.1"])
    after = await shop.rows("list_dns_records", domain=DOMAIN)
    assert [each for each in after if each["host"] != "www2"] == before


async def test_what_is_proxied_is_right_with_any_time_to_live_and_stays_proxied(shop: Connected) -> None:
    await shop.run("upsert_dns_record", domain=DOMAIN, type="A", host="@", values=["203.0.113.10"], ttl=900)
    assert shop.asked(writes=True) == []
    (made,) = await shop.rows("upsert_dns_record", domain=DOMAIN, type="A", host="@", values=["203.0.113.11"])
    assert made["proxied"] is True
    (made,) = await shop.rows(
        "upsert_dns_record", domain=DOMAIN, type="A", host="@", values=["203.0.113.11"], proxied=False, ttl=900
    )
    assert (made["proxied"], made["ttl"]) == (False, 900)
    assert shop.asked(writes=True) == ["PATCH", "PATCH"]


async def test_text_is_the_same_with_quotes_and_without(shop: Connected) -> None:
    for value in ("v=spf1 -all", '"v=spf1 -all"'):
        await shop.run("upsert_dns_record", domain=DOMAIN, type="TXT", host="@", values=[value])
    assert shop.asked(writes=True) == []


async def test_a_new_priority_is_written_to_the_record_that_is_there(shop: Connected) -> None:
    values: list[Json] = ["Mail.Harbour-Office.com."]
    made = await shop.rows("upsert_dns_record", domain=DOMAIN, type="MX", host="@", values=values, priority=20)
    assert [each["priority"] for each in made] == [20]
    assert shop.asked(writes=True) == ["PATCH"]


async def test_work_that_broke_off_halfway_is_told_so_and_finished_by_the_next_run(shop: Connected) -> None:
    wanted: list[Json] = ["203.0.113.1", "203.0.113.2"]
    shop.misbehave("slow", "POST *", seconds=0)
    shop.misbehave("422", "POST *")
    with pytest.raises(ProviderProblem) as caught:
        await shop.run("upsert_dns_record", domain=DOMAIN, type="A", host="pier", values=wanted)
    assert caught.value.may_have_happened
    assert await answers(shop, "A", "pier") == wanted[:1]

    await shop.run("upsert_dns_record", domain=DOMAIN, type="A", host="pier", values=wanted)
    assert await answers(shop, "A", "pier") == wanted


# ------------------------------------------------------------------------------------- what is no answer


def test_parts_may_come_as_fractions_and_the_whole_without_parts() -> None:
    told: dict[str, Json] = {"id": "1", "ttl": 1, "name": f"_sip._tcp.{DOMAIN}", "type": "SRV"}
    parts: Json = {"priority": 10, "weight": 5.0, "port": 5060.0, "target": "sip.example.org"}
    assert record_of({**told, "data": parts}, DOMAIN).answer == "5 5060 sip.example.org"
    assert record_of({**told, "content": "10 5 5060 sip.example.org"}, DOMAIN).answer == "10 5 5060 sip.example.org"


@pytest.mark.parametrize("answer", [None, [], "record", {"id": "1", "type": "A"}, {"name": 7}])
def test_what_is_no_record_makes_the_answer_garbled(answer: Json) -> None:
    with pytest.raises(AnswerGarbled):
        record_of(answer, DOMAIN)


GOOD: dict[str, Json] = {"domain": DOMAIN, "type": "A", "host": "pier", "answer": "203.0.113.7"}


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"type": "ANAME"}, "/type"),
        ({"host": ""}, "/host"),
        ({"host": "pier/.."}, "/host"),
        ({"host": "pier?x"}, "/host"),
        ({"answer": ""}, "/answer"),
        ({"answer": "a\r\nb"}, "/answer"),
        ({"answer": 7}, "/answer"),
        ({"priority": 65_536}, "/priority"),
        ({"proxied": "yes"}, "/proxied"),
        ({"zone_id": "0" * 32}, "/zone_id"),
    ],
)
def test_a_wrong_record_is_refused_before_a_call(shop: Connected, wrong: dict[str, Json], where: str) -> None:
    assert shop.mistakes("create_dns_record", **GOOD) == []
    assert shop.mistakes("create_dns_record", **{**GOOD, **wrong}) == [where]


def test_a_time_to_live_is_one_or_a_minute_to_a_day(shop: Connected) -> None:
    for ttl in (1, 60, 86_400):
        assert shop.mistakes("create_dns_record", **GOOD, ttl=ttl) == []
    for wrong in (0, 2, 59, 86_401, "300", True, None):
        assert {each.split("/")[1] for each in shop.mistakes("create_dns_record", **GOOD, ttl=wrong)} == {"ttl"}


@pytest.mark.parametrize("record_id", ["", "7", "0" * 31, "0" * 33, "../" + "0" * 29, "F" * 32])
def test_what_is_no_record_id_is_refused_before_a_call(shop: Connected, record_id: str) -> None:
    assert shop.mistakes("delete_dns_record", domain=DOMAIN, record_id=record_id)[0] == "/record_id"
