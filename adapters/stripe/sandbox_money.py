"""The account, its balance, what was paid and what was paid back, in the Stripe sandbox.

Every payment costs 1.5 % and 25 of the smallest unit; a refund gives none of that back.
"""

from pydantic import JsonValue
from starlette.routing import Route

from adapters.stripe.sandbox_api import Ask, Desk, Refused, api_route
from adapters.stripe.sandbox_state import Hub, Shape, number

_SETTLING_SECONDS = 2 * 86_400


def money_routes(hub: Hub) -> list[Route]:
    """What came in and went out."""
    return [
        api_route(hub, "GET", "/v1/account", _account),
        api_route(hub, "GET", "/v1/balance", _balance),
        api_route(hub, "GET", "/v1/balance_transactions", _transactions),
        api_route(hub, "GET", "/v1/charges", _charges),
        api_route(hub, "POST", "/v1/refunds", _refund),
    ]


def _account(ask: Ask) -> Shape:
    ask.form.finish()
    business = ask.hub.world.businesses[ask.book.account]
    return {
        "id": business.id,
        "object": "account",
        "business_profile": {"name": business.name},
        "charges_enabled": True,
        "country": business.country,
        "created": 1_767_225_600,
        "default_currency": business.currency,
        "details_submitted": True,
        "email": business.email,
        "payouts_enabled": True,
        "settings": {
            "branding": {},
            "card_payments": {},
            "dashboard": {"display_name": business.name, "timezone": "Etc/UTC"},
            "payments": {},
        },
        "type": "standard",
    }


def _balance(ask: Ask) -> Shape:
    ask.form.finish()
    held: dict[bool, dict[str, int]] = {True: {}, False: {}}
    for each in ask.book.all("balance_transaction").values():
        sums = held[number(each, "available_on") <= ask.time]
        currency = str(each["currency"])
        sums[currency] = sums.get(currency, 0) + number(each, "net")
    available, pending = _told(held[True]), _told(held[False])
    return {"object": "balance", "livemode": ask.book.live, "available": available, "pending": pending}


def _told(sums: dict[str, int]) -> list[JsonValue]:
    return [{"amount": amount, "currency": currency} for currency, amount in sums.items()]


def _transactions(ask: Ask) -> Shape:
    form, in_window = ask.form, ask.created()
    wanted = {name: form.text(name) for name in ("type", "source", "payout", "currency")}

    def keep(each: Shape) -> bool:
        return in_window(each) and all(told is None or each.get(name) == told for name, told in wanted.items())

    page = ask.page("balance_transaction", keep)
    form.finish()
    return page


def _charges(ask: Ask) -> Shape:
    form, in_window = ask.form, ask.created()
    customer, intent = form.text("customer"), form.text("payment_intent")

    def keep(each: Shape) -> bool:
        by_customer = customer is None or each["customer"] == customer
        return in_window(each) and by_customer and (intent is None or each["payment_intent"] == intent)

    page = ask.page("charge", keep)
    form.finish()
    return page


def move(desk: Desk, kind: str, category: str, amount: int, currency: str, source: str | None, fee: int = 0) -> Shape:
    """A movement of money."""
    details: Shape = {
        "amount": fee,
        "application": None,
        "currency": currency,
        "description": None,
        "type": "stripe_fee",
    }
    return desk.book.put(
        {
            "id": desk.id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": desk.time + _SETTLING_SECONDS,
            "balance_type": "payments",
            "created": desk.time,
            "currency": currency,
            "description": None,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": [details] if fee else [],
            "net": amount - fee,
            "reporting_category": category,
            "source": source,
            "status": "pending",
            "type": kind,
        }
    )


def charge(desk: Desk, customer: Shape, amount: int, currency: str, description: str | None = None) -> Shape:
    """A payment that went through."""
    id = desk.id("ch")
    desk.book.put(
        {
            "id": id,
            "object": "charge",
            "amount": amount,
            "amount_captured": amount,
            "amount_refunded": 0,
            "balance_transaction": move(desk, "charge", "charge", amount, currency, id, amount * 15 // 1000 + 25)["id"],
            "billing_details": {"address": None, "email": customer["email"], "name": customer["name"], "phone": None},
            "captured": True,
            "created": desk.time,
            "currency": currency,
            "customer": customer["id"],
            "description": description,
            "disputed": False,
            "failure_code": None,
            "livemode": desk.book.live,
            "metadata": {},
            "paid": True,
            "payment_intent": desk.id("pi"),
            "receipt_url": None,
            "refunded": False,
            "status": "succeeded",
        }
    )
    return desk.book.all("charge")[id]


def pay(desk: Desk, invoice: Shape, customer: Shape) -> None:
    """An invoice is paid by the customer's card."""
    total = number(invoice, "total")
    if total:
        charge(desk, customer, total, str(invoice["currency"]), f"Invoice {invoice['number']}")
    invoice |= {"status": "paid", "amount_paid": total, "amount_remaining": 0, "attempted": True, "attempt_count": 1}
    invoice["status_transitions"] = {"finalized_at": desk.time, "paid_at": desk.time}


def _refund(ask: Ask) -> Shape:
    form = ask.form
    by_charge, by_intent, amount = form.text("charge"), form.text("payment_intent"), form.number("amount", 1)
    reason, notes = form.one_of("reason", "duplicate", "fraudulent", "requested_by_customer"), form.notes()
    form.finish()
    paid = _paid(ask, by_charge, by_intent)
    left = number(paid, "amount") - number(paid, "amount_refunded")
    if left == 0:
        raise Refused(400, f"Charge {paid['id']} has already been refunded.", "charge_already_refunded")
    back = left if amount is None else amount
    if back > left:
        raise Refused(400, "Refund amount is greater than unrefunded amount on charge.", None, "amount")
    id, currency = ask.id("re"), str(paid["currency"])
    paid["amount_refunded"] = number(paid, "amount_refunded") + back
    paid["refunded"] = back == left
    return ask.book.put(
        {
            "id": id,
            "object": "refund",
            "amount": back,
            "balance_transaction": move(ask, "refund", "refund", -back, currency, id)["id"],
            "charge": paid["id"],
            "created": ask.time,
            "currency": currency,
            "metadata": notes,
            "payment_intent": paid["payment_intent"],
            "reason": reason,
            "status": "succeeded",
        }
    )


def _paid(ask: Ask, by_charge: str | None, by_intent: str | None) -> Shape:
    if by_charge is not None and by_intent is None:
        return ask.find("charge", by_charge, "charge")
    if by_intent is not None and by_charge is None:
        for each in ask.book.all("charge").values():
            if each["payment_intent"] == by_intent:
                return each
        raise Refused(400, f"No such payment_intent: '{by_intent[:100]}'", "resource_missing", "payment_intent")
    raise Refused(400, "One of the following params should be provided: charge, payment_intent.", "parameter_missing")
