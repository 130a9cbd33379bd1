"""DNS records at name.com: one by one, and all of a name at once."""

from collections.abc import AsyncIterator, Sequence

import pytest

from domain.errors import NotThere, ProviderProblem, Rejected
from domain.json import Json
from tests.adapters.namecom.shop import open_shop
from tests.support.overheard import Connected

DOMAIN = "harbour-office.com"
RECORDS = "/core/v1/domains/harbour-office.com/records"


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
    assert (changed["id"], changed["ttl"]) == (made["id"], 300)
    assert isinstance(made["id"], str)

    assert await shop.run("delete_dns_record", domain=DOMAIN, record_id=made["id"]) is None
    assert await answers(shop, "A", "pier") == []
    with pytest.raises(NotThere):
        await shop.run("delete_dns_record", domain=DOMAIN, record_id=made["id"])


async def test_the_top_of_the_domain_is_always_an_at_sign(shop: Connected) -> None:
    for host in ("@", DOMAIN):
        made = await shop.row("create_dns_record", domain=DOMAIN, type="TXT", host=host, answer=f"seen-{host}")
        assert made["host"] == "@"


async def test_a_full_name_is_taken_for_the_host_within_the_domain(shop: Connected) -> None:
    made = await shop.row("create_dns_record", domain=DOMAIN, type="A", host=f"pier.{DOMAIN}", answer="203.0.113.7")
    assert made["host"] == "pier"


async def test_mail_records_need_a_priority_and_nothing_is_sent_without(shop: Connected) -> None:
    with pytest.raises(Rejected, match="priority"):
        await shop.run("create_dns_record", domain=DOMAIN, type="MX", host="@", answer="mail.example.org")
    assert shop.transport.heard == []


async def test_what_name_com_does_not_take_is_refused(shop: Connected) -> None:
    with pytest.raises(Rejected):
        await shop.run("create_dns_record", domain=DOMAIN, type="A", host="pier", answer="not-an-address")


async def test_the_domain_of_somebody_else_has_no_records_for_us(shop: Connected) -> None:
    with pytest.raises(NotThere):
        await shop.run("list_dns_records", domain="quayside-cafe.com")


# -------------------------------------------------------------------------------- all at once


@pytest.mark.parametrize(
    ("before", "values", "asked"),
    [
        ((), ["203.0.113.1"], ["POST"]),
        (("203.0.113.1",), ["203.0.113.1"], []),
        (("203.0.113.1",), ["203.0.113.2"], ["PUT"]),
        (("203.0.113.1",), ["203.0.113.1", "203.0.113.2"], ["POST"]),
        (("203.0.113.1", "203.0.113.2"), ["203.0.113.2"], ["DELETE"]),
        (("203.0.113.1", "203.0.113.2"), ["203.0.113.3"], ["PUT", "DELETE"]),
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
    assert sorted(str(each["answer"]) for each in made) == values
    assert await answers(shop, "A", "pier") == values


async def test_other_types_and_hosts_are_left_alone(shop: Connected) -> None:
    before = await shop.rows("list_dns_records", domain=DOMAIN)
    await shop.run("upsert_dns_record", domain=DOMAIN, type="A", host="www2", values=["203.0.113.1"])
    after = await shop.rows("list_dns_records", domain=DOMAIN)
    assert [each for each in after if each["host"] != "www2"] == before


async def test_a_new_time_to_live_is_written_to_the_record_that_is_there(shop: Connected) -> None:
    made = await shop.rows(
        "upsert_dns_record", domain=DOMAIN, type="CNAME", host="www", values=["Harbour-Office.com."], ttl=900
    )
    assert (shop.asked(writes=True), made[0]["ttl"], len(made)) == (["PUT"], 900, 1)


async def test_a_priority_counts_only_where_there_is_one(shop: Connected) -> None:
    mail: dict[str, Json] = {"domain": DOMAIN, "type": "MX", "host": "@", "values": ["mail.harbour-office.com"]}
    address: dict[str, Json] = {"domain": DOMAIN, "type": "A", "host": "@", "values": ["203.0.113.10"]}
    await shop.run("upsert_dns_record", **mail, priority=10)
    await shop.run("upsert_dns_record", **address, priority=10)
    assert shop.asked(writes=True) == []
    [made] = await shop.rows("upsert_dns_record", **mail, priority=20)
    assert (shop.asked(writes=True), made["priority"]) == (["PUT"], 20)


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
