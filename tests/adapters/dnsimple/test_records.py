"""DNS records at DNSimple: one by one, in batches, and all of a name at once."""

from collections.abc import AsyncIterator, Sequence

import pytest

from adapters.dnsimple.results import record_of, registration_of
from domain.errors import AnswerGarbled, NotThere, ProviderProblem, Rejected
from domain.json import Json
from tests.adapters.dnsimple.shop import open_shop
from tests.support.overheard import Connected

DOMAIN = "harbour-office.com"
BATCH = "/zones/harbour-office.com/batch"


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
    assert (changed["id"], changed["ttl"], changed["system"]) == (made["id"], 300, False)

    assert await shop.run("delete_dns_record", domain=DOMAIN, record_id=made["id"]) is None
    assert await answers(shop, "A", "pier") == []
    with pytest.raises(NotThere):
        await shop.run("delete_dns_record", domain=DOMAIN, record_id=made["id"])


async def test_the_top_of_the_domain_is_always_an_at_sign_and_an_empty_name_at_the_service(shop: Connected) -> None:
    for host in ("@", DOMAIN):
        made = await shop.row("create_dns_record", domain=DOMAIN, type="TXT", host=host, answer=f"seen-{host}")
        assert made["host"] == "@"
    assert [body["name"] for body in shop.bodies("/records")] == ["", ""]


async def test_a_full_name_is_taken_for_the_host_within_the_domain(shop: Connected) -> None:
    made = await shop.row("create_dns_record", domain=DOMAIN, type="A", host=f"Pier.{DOMAIN}", answer="203.0.113.7")
    assert made["host"] == "pier"


async def test_quotes_around_text_belong_to_the_service(shop: Connected) -> None:
    made = await shop.row("create_dns_record", domain=DOMAIN, type="TXT", host="_dmarc", answer="v=DMARC1; p=none")
    assert made["answer"] == "v=DMARC1; p=none"
    assert await answers(shop, "TXT", "@") == ["v=spf1 -all"]


async def test_the_type_of_a_record_stays(shop: Connected) -> None:
    made = await shop.row("create_dns_record", domain=DOMAIN, type="A", host="pier", answer="203.0.113.7")
    with pytest.raises(Rejected, match="type A"):
        await shop.run(
            "update_dns_record", domain=DOMAIN, record_id=made["id"], type="CNAME", host="pier", answer="example.org"
        )
    assert shop.asked(writes=True) == ["POST"]


async def test_mail_records_need_a_priority_and_nothing_is_sent_without(shop: Connected) -> None:
    for name, more in (("create_dns_record", {"answer": "m.example.org"}), ("upsert_dns_record", {"values": ["m.a"]})):
        with pytest.raises(Rejected, match="priority"):
            await shop.run(name, domain=DOMAIN, type="MX", host="@", **more)
    assert shop.transport.heard == []


async def test_what_dnsimple_does_not_take_is_refused(shop: Connected) -> None:
    with pytest.raises(Rejected):
        await shop.run("create_dns_record", domain=DOMAIN, type="A", host="pier", answer="not-an-address")
    with pytest.raises(Rejected):
        await shop.run("create_dns_record", domain=DOMAIN, type="TXT", host="@", answer="v=spf1 -all")


async def test_the_domain_of_somebody_else_has_no_records_for_us(shop: Connected) -> None:
    with pytest.raises(NotThere):
        await shop.run("list_dns_records", domain="quayside-cafe.com")


# ------------------------------------------------------------------------------------- several at once


async def test_a_batch_adds_changes_and_deletes_in_one_request(shop: Connected) -> None:
    kept = await shop.row("create_dns_record", domain=DOMAIN, type="A", host="pier", answer="203.0.113.7")
    gone = await shop.row("create_dns_record", domain=DOMAIN, type="A", host="quay", answer="203.0.113.8")
    done = await shop.row(
        "batch_dns_changes",
        domain=DOMAIN,
        creates=[{"type": "MX", "host": "@", "answer": "mx2.example.org", "priority": 20}],
        updates=[{"record_id": kept["id"], "answer": "203.0.113.9", "host": "@"}],
        deletes=[gone["id"]],
    )
    assert done["deleted"] == [gone["id"]]
    assert await answers(shop, "MX", "@") == ["mail.harbour-office.com", "mx2.example.org"]
    assert "203.0.113.9" in await answers(shop, "A", "@")
    assert shop.bodies(BATCH)[0]["updates"] == [{"id": int(str(kept["id"])), "content": "203.0.113.9", "name": ""}]


async def test_a_batch_with_one_mistake_changes_nothing(shop: Connected) -> None:
    before = await shop.rows("list_dns_records", domain=DOMAIN)
    good = {"type": "A", "host": "pier", "answer": "203.0.113.7"}
    with pytest.raises(Rejected) as caught:
        await shop.run("batch_dns_changes", domain=DOMAIN, creates=[good, {**good, "answer": "nowhere"}])
    assert not caught.value.may_have_happened
    assert await shop.rows("list_dns_records", domain=DOMAIN) == before


async def test_an_empty_batch_is_not_sent(shop: Connected) -> None:
    with pytest.raises(Rejected, match="at least one"):
        await shop.run("batch_dns_changes", domain=DOMAIN)
    assert shop.transport.heard == []


# -------------------------------------------------------------------------------- all of a name


@pytest.mark.parametrize(
    ("before", "values", "asked"),
    [
        ((), ["203.0.113.1"], {"creates": 1}),
        (("203.0.113.1",), ["203.0.113.1"], {}),
        (("203.0.113.1",), ["203.0.113.2"], {"updates": 1}),
        (("203.0.113.1",), ["203.0.113.1", "203.0.113.2"], {"creates": 1}),
        (("203.0.113.1", "203.0.113.2"), ["203.0.113.2"], {"deletes": 1}),
        (("203.0.113.1", "203.0.113.2"), ["203.0.113.3"], {"updates": 1, "deletes": 1}),
    ],
)
async def test_only_what_differs_is_changed_and_in_one_request(
    shop: Connected, before: Sequence[str], values: list[Json], asked: dict[str, int]
) -> None:
    for answer in before:
        await shop.run("create_dns_record", domain=DOMAIN, type="A", host="pier", answer=answer)
    made = await shop.rows("upsert_dns_record", domain=DOMAIN, type="A", host="pier", values=values)
    sent = shop.bodies(BATCH)
    assert [{name: len(steps) for name, steps in body.items()} for body in sent] == ([asked] if asked else [])
    assert sorted(str(each["answer"]) for each in made) == values
    assert await answers(shop, "A", "pier") == values


async def test_at_the_top_only_its_own_records_are_touched(shop: Connected) -> None:
    await shop.run("create_dns_record", domain=DOMAIN, type="A", host="pier", answer="203.0.113.7")
    before = await shop.rows("list_dns_records", domain=DOMAIN)
    await shop.run("upsert_dns_record", domain=DOMAIN, type="A", host="@", values=["203.0.113.1"])
    after = await shop.rows("list_dns_records", domain=DOMAIN)
    assert await answers(shop, "A", "@") == ["203.0.113.1"]
    changed = [(old["type"], old["host"]) for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [("A", "@")]


async def test_what_dnsimple_keeps_itself_is_left_alone(shop: Connected) -> None:
    await shop.run("create_dns_record", domain=DOMAIN, type="ALIAS", host="dock", answer="example.org")
    await shop.run("upsert_dns_record", domain=DOMAIN, type="TXT", host="dock", values=["moored"])
    assert await answers(shop, "TXT", "dock") == ["ALIAS for example.org", "moored"]
    await shop.run("upsert_dns_record", domain=DOMAIN, type="NS", host="@", values=["ns9.example.org"])
    assert len(await answers(shop, "NS", "@")) == 5


async def test_text_is_the_same_with_quotes_and_without(shop: Connected) -> None:
    for value in ("v=spf1 -all", '"v=spf1 -all"'):
        await shop.run("upsert_dns_record", domain=DOMAIN, type="TXT", host="@", values=[value])
    assert shop.asked(writes=True) == []


async def test_a_new_priority_is_written_to_the_record_that_is_there(shop: Connected) -> None:
    values: list[Json] = ["Mail.Harbour-Office.com."]
    made = await shop.rows("upsert_dns_record", domain=DOMAIN, type="MX", host="@", values=values, priority=20)
    assert [each["priority"] for each in made] == [20]
    assert len(await answers(shop, "MX", "@")) == 1


async def test_an_answer_that_was_lost_leaves_it_open_and_the_next_run_is_safe(shop: Connected) -> None:
    wanted: list[Json] = ["203.0.113.1", "203.0.113.2"]
    shop.misbehave("lost_answer", "POST *batch")
    with pytest.raises(ProviderProblem) as lost:
        await shop.run("upsert_dns_record", domain=DOMAIN, type="A", host="pier", values=wanted)
    await shop.run("upsert_dns_record", domain=DOMAIN, type="A", host="pier", values=wanted)
    assert lost.value.may_have_happened
    assert await answers(shop, "A", "pier") == wanted
    assert shop.app.control.effects.total() == 1


# ------------------------------------------------------------------------------------- what is no answer


def test_a_state_nobody_described_makes_the_answer_garbled() -> None:
    told: dict[str, Json] = {"id": 1, "period": 1, "auto_renew": False, "whois_privacy": False}
    assert registration_of({**told, "state": "new"}, DOMAIN).state == "pending"
    wrong: list[Json] = [{**told, "state": "sunk"}, {**told, "state": None}, None, [], "sunk"]
    for answer in wrong:
        with pytest.raises(AnswerGarbled):
            registration_of(answer, DOMAIN)


def test_a_record_without_its_parts_makes_the_answer_garbled() -> None:
    with pytest.raises(AnswerGarbled):
        record_of({"id": 1, "type": "A", "name": ""})


GOOD: dict[str, Json] = {"domain": DOMAIN, "type": "A", "host": "pier", "answer": "203.0.113.7"}


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"type": "ANAME"}, "/type"),
        ({"type": "SOA"}, "/type"),
        ({"host": ""}, "/host"),
        ({"host": "pier/.."}, "/host"),
        ({"host": "pier harbour"}, "/host"),
        ({"answer": ""}, "/answer"),
        ({"answer": "a\nb"}, "/answer"),
        ({"answer": "a\x00b"}, "/answer"),
        ({"answer": ["203.0.113.7"]}, "/answer"),
        ({"ttl": 59}, "/ttl"),
        ({"ttl": "300"}, "/ttl"),
        ({"priority": -1}, "/priority"),
        ({"regions": ["global"]}, "/regions"),
    ],
)
def test_a_wrong_record_is_refused_before_a_call(shop: Connected, wrong: dict[str, Json], where: str) -> None:
    assert shop.mistakes("create_dns_record", **GOOD) == []
    assert shop.mistakes("create_dns_record", **{**GOOD, **wrong}) == [where]


def test_a_wrong_batch_names_the_place(shop: Connected) -> None:
    record = {"type": "A", "host": "pier", "answer": "203.0.113.7"}
    found = shop.mistakes(
        "batch_dns_changes",
        domain=DOMAIN,
        creates=[record, {**record, "ttl": 5, "colour": "blue"}],
        updates=[{"answer": "x"}],
        deletes=[7, "07"],
    )
    assert set(found) == {
        "/creates/1/ttl",
        "/creates/1/colour",
        "/updates/0/record_id",
        "/deletes/0",
        "/deletes/1",
    }
