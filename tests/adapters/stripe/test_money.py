"""Money at Stripe: revenue that never adds currencies, amounts that are never rounded, refunds that happen once."""

from datetime import date
from uuid import uuid4

import pytest

from adapters.stripe.money import readable
from adapters.stripe.results import BalanceTransaction
from adapters.stripe.revenue import MOST, Period, counted
from adapters.stripe.sandbox_state import LIVE_KEY, QUAY_KEY
from domain.catalogue import Effect
from domain.errors import AlreadyThere, AnswerLost, Rejected
from domain.json import Json
from tests.adapters.stripe.shop import Clock, forms
from tests.support.overheard import Connected

YEAR: dict[str, Json] = {"since": "2026-06-01", "until": "2027-05-31"}
PERIOD = Period.of(date(2026, 10, 1), date(2026, 10, 31))


def moved(
    category: str, amount: int, currency: str = "usd", fee: int = 0, created: int = 1_790_899_200
) -> BalanceTransaction:
    return BalanceTransaction.of(
        {
            "id": "txn_1",
            "type": category,
            "reporting_category": category,
            "amount": amount,
            "fee": fee,
            "net": amount - fee,
            "currency": currency,
            "status": "available",
            "created": created,
            "available_on": created,
        }
    )


def told(row: Json, *names: str) -> list[Json]:
    assert isinstance(row, dict)
    found = [row[name] for name in names]
    return [each["text"] if isinstance(each, dict) else each for each in found]


# -------------------------------------------------------------------------------------------------- amounts


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1999, "usd", "19.99 USD"),
        (5, "eur", "0.05 EUR"),
        (0, "eur", "0.00 EUR"),
        (2000, "jpy", "2000 JPY"),
        (5250, "kwd", "5.250 KWD"),
        (-5250, "kwd", "-5.250 KWD"),
        (500, "isk", "5.00 ISK"),
        (500, "ugx", "5.00 UGX"),
        (100, "mga", "100 MGA"),
        (1045, "huf", "10.45 HUF"),
        (123_456_789_012, "USD", "1234567890.12 USD"),
    ],
)
def test_an_amount_is_readable_in_its_own_decimals(amount: int, currency: str, text: str) -> None:
    assert readable(amount, currency) == text


# -------------------------------------------------------------------------------------------------- revenue


async def test_revenue_is_told_for_each_currency_on_its_own(shop: Connected) -> None:
    found = await shop.row("view_revenue", **YEAR)
    assert isinstance(found["rows"], list)
    euros, dollars = found["rows"]
    names = ("currency", "gross", "refunds", "disputes", "fees", "net", "payments", "refunded")
    # 4900 + 1250 + 4900; fees 98 + 43 + 98 and 200 on their own
    assert told(euros, *names) == ["eur", "110.50 EUR", "0.00 EUR", "0.00 EUR", "4.39 EUR", "106.11 EUR", 3, 0]
    assert told(dollars, *names) == ["usd", "30.00 USD", "-10.00 USD", "0.00 USD", "0.70 USD", "19.30 USD", 1, 1]
    assert (found["counted"], found["left_out"]) == (6, {"payout": 1})
    assert "settlement currency" in str(found["basis"])


async def test_revenue_in_yen_has_no_decimals(shop: Connected) -> None:
    shop.fields = {"key": QUAY_KEY}
    found = await shop.row("view_revenue", **YEAR)
    assert isinstance(found["rows"], list)
    assert told(found["rows"][0], "gross", "fees", "net") == ["3200 JPY", "73 JPY", "3127 JPY"]


async def test_revenue_of_one_currency_and_of_no_movement(shop: Connected) -> None:
    only = await shop.row("view_revenue", **YEAR, currency="usd")
    assert isinstance(only["rows"], list)
    assert told(only["rows"][0], "currency") == ["usd"]
    assert len(only["rows"]) == 1
    nothing = await shop.row("view_revenue", since="2025-01-01", until="2025-01-31")
    assert (nothing["rows"], nothing["counted"]) == ([], 0)


async def test_revenue_is_split_by_month_and_by_day(shop: Connected) -> None:
    by_month = await shop.row("view_revenue", **YEAR, group_by="month")
    by_day = await shop.row("view_revenue", **YEAR, group_by="day")
    assert isinstance(by_month["rows"], list)
    assert isinstance(by_day["rows"], list)
    assert [told(each, "period", "currency", "gross", "fees") for each in by_month["rows"]] == [
        ["2026-12", "eur", "110.50 EUR", "2.39 EUR"],
        ["2027-01", "eur", "0.00 EUR", "2.00 EUR"],
        ["2027-01", "usd", "30.00 USD", "0.70 USD"],
    ]
    assert all(len(str(told(each, "period")[0])) == 10 for each in by_day["rows"])
    whole = await shop.row("view_revenue", **YEAR)
    assert isinstance(whole["rows"], list)
    for currency in ("eur", "usd"):
        parts = [each["net"]["amount"] for each in by_day["rows"] if each["currency"] == currency]
        (total,) = [each["net"]["amount"] for each in whole["rows"] if each["currency"] == currency]
        assert sum(parts) == total


async def test_a_period_is_whole_days_in_utc_with_both_ends(shop: Connected) -> None:
    await shop.run("view_revenue", since="2026-10-01", until="2026-10-31")
    (query,) = shop.queries("/v1/balance_transactions")
    # 2026-10-01T00:00Z and 2026-11-01T00:00Z
    assert (query["created[gte]"], query["created[lt]"]) == (["1790812800"], ["1793491200"])


@pytest.mark.parametrize(
    ("since", "until", "why"), [("2026-10-02", "2026-10-01", "before"), ("2025-01-01", "2026-10-01", "366 days")]
)
async def test_a_period_that_makes_no_sense_is_refused_before_a_call(
    shop: Connected, since: str, until: str, why: str
) -> None:
    with pytest.raises(Rejected, match=why):
        await shop.run("view_revenue", since=since, until=until)
    assert shop.asked() == []


def test_every_kind_of_movement_has_its_place() -> None:
    found = counted(
        PERIOD,
        "total",
        [
            moved("charge", 10_000, fee=320),
            moved("charge_failure", -2_000),
            moved("partial_capture_reversal", -500),
            moved("refund", -1_000),
            moved("refund_failure", 400),
            moved("dispute", -3_000, fee=1_500),
            moved("dispute_reversal", 3_000, fee=-1_500),
            moved("fee", -250),
            moved("tax", -47),
            moved("payout", -9_000),
            moved("topup", 5_000),
            moved("something_new", 7),
        ],
    )
    (row,) = found.rows
    assert (row.gross.amount, row.refunds.amount, row.disputes.amount, row.fees.amount) == (7_500, -600, 0, 617)
    assert row.net.amount == 7_500 - 600 - 617
    assert (found.counted, found.left_out) == (9, {"payout": 1, "topup": 1, "something_new": 1})


def test_the_net_is_the_sum_of_stripe_s_own_nets() -> None:
    each = [moved("charge", 999, fee=44), moved("refund", -999), moved("fee", -25, fee=3), moved("dispute", -5, fee=15)]
    (row,) = counted(PERIOD, "total", each).rows
    assert row.net.amount == sum(one.net for one in each)


def test_a_period_that_may_be_cut_off_is_not_summed() -> None:
    with pytest.raises(Rejected, match="shorter"):
        counted(PERIOD, "total", [moved("charge", 1)] * MOST)
    assert counted(PERIOD, "total", [moved("charge", 1)] * (MOST - 1)).rows[0].gross.amount == MOST - 1


# ------------------------------------------------------------------------------------- balance and movements


async def test_the_balance_is_told_by_currency_and_mode(shop: Connected) -> None:
    found = await shop.row("get_balance")
    assert isinstance(found["available"], list)
    assert (found["livemode"], {each["currency"] for each in found["available"]}) == (False, {"eur", "usd"})
    assert all("EUR" in each["text"] or "USD" in each["text"] for each in found["available"])
    shop.fields = {"key": LIVE_KEY}
    assert await shop.row("get_balance") == {"livemode": True, "available": [], "pending": []}


async def test_movements_and_charges_are_listed_by_what_is_asked(shop: Connected, clock: Clock) -> None:
    refunds = await shop.rows("list_balance_transactions", type="refund")
    assert [(each["text"], each["category"], each["net"]) for each in refunds] == [("-10.00 USD", "refund", -1000)]
    recent = int(clock.time) - 10 * 86_400
    charges = await shop.rows("list_charges", created_since=recent)
    assert [(each["text"], each["amount_refunded"], each["refunded"]) for each in charges] == [
        ("30.00 USD", 1000, False)
    ]
    (movement,) = await shop.rows("list_balance_transactions", source=charges[0]["id"])
    assert movement["fee"] == 70
    assert await shop.rows("list_balance_transactions", payout="po_none") == []
    assert await shop.rows("list_charges", payment_intent=charges[0]["payment_intent"]) == charges
    assert str(charges[0]["created_at"]).endswith("Z")


# ------------------------------------------------------------------------------------------------- refunds


def test_paying_back_is_the_gravest_thing(shop: Connected) -> None:
    effects = {name.partition(".")[2]: each.effect for name, each in shop.integration.actions.items()}
    grave = {"create_refund", "delete_customer", "cancel_subscription"}
    assert {name for name, effect in effects.items() if effect is Effect.DESTRUCTIVE} == grave


async def test_a_payment_is_paid_back_in_parts_and_no_further(shop: Connected) -> None:
    charge = (await shop.rows("list_charges", limit=1))[0]
    part = await shop.row(
        "create_refund",
        charge=charge["id"],
        amount=500,
        reason="duplicate",
        metadata=[{"key": "why", "value": "twice"}],
    )
    assert (part["text"], part["status"], part["reason"], part["charge"]) == (
        "5.00 USD",
        "succeeded",
        "duplicate",
        charge["id"],
    )
    assert forms(shop, "/v1/refunds")[0]["metadata"] == {"why": "twice"}
    with pytest.raises(Rejected):
        await shop.run("create_refund", charge=charge["id"], amount=5000)
    rest = await shop.row("create_refund", payment_intent=charge["payment_intent"])
    assert rest["amount"] == 1500
    with pytest.raises(AlreadyThere, match="charge_already_refunded"):
        await shop.run("create_refund", charge=charge["id"])


async def test_a_refund_whose_answer_was_lost_is_made_once(shop: Connected) -> None:
    shop.key = uuid4()
    charge = (await shop.rows("list_charges", limit=1))[0]
    shop.misbehave("lost_answer", "POST /v1/refunds")
    with pytest.raises(AnswerLost) as caught:
        await shop.run("create_refund", charge=charge["id"], amount=100)
    assert caught.value.may_have_happened
    await shop.run("create_refund", charge=charge["id"], amount=100)
    assert shop.app.control.effects["POST /v1/refunds"] == 1
    assert (await shop.rows("list_charges", limit=1))[0]["amount_refunded"] == 1100


@pytest.mark.parametrize("which", [{}, {"charge": "ch_1", "payment_intent": "pi_1"}])
async def test_one_payment_is_named(shop: Connected, which: dict[str, Json]) -> None:
    with pytest.raises(Rejected, match="one of the two"):
        await shop.run("create_refund", **which)
    assert shop.asked() == []
