"""Subscriptions and invoices in the Stripe sandbox.

A customer with a payment method pays at once; one without is left with an open invoice. Nothing renews by itself:
periods end and no new invoice comes. Prorations are not worked out.
"""

from starlette.routing import Route

from adapters.stripe.sandbox_api import Ask, Desk, Refused, api_route, list_shape
from adapters.stripe.sandbox_catalogue import living
from adapters.stripe.sandbox_forms import Form
from adapters.stripe.sandbox_money import pay
from adapters.stripe.sandbox_state import Hub, Shape, number

_PERIODS = {"day": 86_400, "week": 604_800, "month": 2_629_800, "year": 31_557_600}
_PATH = "/v1/subscriptions/{subscription_exposed_id}"


def billing_routes(hub: Hub) -> list[Route]:
    """What is paid again and again."""
    return [
        api_route(hub, "POST", "/v1/subscriptions", _create),
        api_route(hub, "GET", "/v1/subscriptions", _list),
        api_route(hub, "GET", _PATH, _get),
        api_route(hub, "POST", _PATH, _update),
        api_route(hub, "DELETE", _PATH, _cancel),
        api_route(hub, "GET", "/v1/invoices", _invoices),
    ]


def _create(ask: Ask) -> Shape:
    form = ask.form
    customer = living(ask, form.needed("customer"), "customer")
    behavior = form.one_of(
        "payment_behavior", "default_incomplete", "allow_incomplete", "error_if_incomplete", "pending_if_incomplete"
    )
    how = form.one_of("collection_method", "charge_automatically", "send_invoice") or "charge_automatically"
    due, trial, notes = form.number("days_until_due"), form.number("trial_period_days", 1), form.notes()
    wanted, lines = form.texts("expand") or [], [_line(ask, each) for each in form.parts("items")]
    form.finish()
    if not lines:
        raise Refused(400, "Missing required param: items.", "parameter_missing", "items")
    if (how == "send_invoice") is not (due is not None):
        raise Refused(400, "days_until_due goes with collection_method send_invoice.", None, "days_until_due")
    if len({price["currency"] for price, _ in lines}) > 1:
        raise Refused(400, "All prices of a subscription must be in one currency.", None, "items")
    can_pay = customer["default_source"] is not None
    if how == "charge_automatically" and not can_pay and not trial and behavior != "default_incomplete":
        words = "This customer has no attached payment source or default payment method."
        raise Refused(400, words, "resource_missing")
    subscription = ask.book.put(new_subscription(ask, customer, lines, how, due))
    subscription["metadata"] = notes
    if trial:
        subscription |= {"status": "trialing", "trial_start": ask.time, "trial_end": ask.time + trial * 86_400}
        return subscription
    invoice = _invoice(ask, subscription, customer)
    is_paid = how == "charge_automatically" and can_pay and behavior != "default_incomplete"
    if is_paid:
        pay(ask, invoice, customer)
    subscription["status"] = "active" if is_paid or how == "send_invoice" else "incomplete"
    return _shown(ask, subscription, wanted)


def _line(ask: Ask, form: Form) -> tuple[Shape, int]:
    price, quantity = ask.find("price", form.needed("price"), "items[0][price]"), form.number("quantity", 1)
    form.finish()
    if price["type"] != "recurring":
        raise Refused(400, "The price specified is set to `type=one_time`.", None, "items[0][price]")
    return price, 1 if quantity is None else quantity


def new_subscription(
    desk: Desk, customer: Shape, lines: list[tuple[Shape, int]], how: str, due: int | None = None
) -> Shape:
    """A subscription that nobody has paid yet."""
    id = desk.id("sub")
    items = [_item(desk, id, price, quantity) for price, quantity in lines]
    return {
        "id": id,
        "object": "subscription",
        "automatic_tax": {"enabled": False, "disabled_reason": None, "liability": None},
        "billing_cycle_anchor": desk.time,
        "billing_mode": {"type": "flexible"},
        "billing_schedules": [],
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "collection_method": how,
        "created": desk.time,
        "currency": lines[0][0]["currency"],
        "customer": customer["id"],
        "days_until_due": due,
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": list_shape(f"/v1/subscription_items?subscription={id}", items),
        "latest_invoice": None,
        "livemode": desk.book.live,
        "metadata": {},
        "start_date": desk.time,
        "status": "active",
        "trial_end": None,
        "trial_start": None,
    }


def _item(desk: Desk, subscription: str, price: Shape, quantity: int) -> Shape:
    recurring = price["recurring"] if isinstance(price["recurring"], dict) else {}
    length = _PERIODS[str(recurring["interval"])] * number(recurring, "interval_count")
    plan = {"id": price["id"], "object": "plan", "amount": price["unit_amount"], "currency": price["currency"]}
    return {
        "id": desk.id("si"),
        "object": "subscription_item",
        "created": desk.time,
        "current_period_end": desk.time + length,
        "current_period_start": desk.time,
        "discounts": [],
        "metadata": {},
        "plan": plan,
        "price": price,
        "quantity": quantity,
        "subscription": subscription,
    }


def _items_of(subscription: Shape) -> list[Shape]:
    items = subscription["items"]
    data = items["data"] if isinstance(items, dict) else []
    return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []


def _shown(ask: Ask, subscription: Shape, wanted: list[str]) -> Shape:
    if "latest_invoice" not in wanted or subscription["latest_invoice"] is None:
        return subscription
    return {**subscription, "latest_invoice": ask.find("invoice", str(subscription["latest_invoice"]))}


def _list(ask: Ask) -> Shape:
    form = ask.form
    customer, price, status = form.text("customer"), form.text("price"), form.text("status")

    def keep(each: Shape) -> bool:
        ended = each["status"] in ("canceled", "incomplete_expired")
        by_status = (not ended) if status is None else status == "all" or each["status"] == status
        if status == "ended":
            by_status = ended
        prices = [item["price"] for item in _items_of(each)]
        by_price = price is None or any(isinstance(one, dict) and one["id"] == price for one in prices)
        return by_status and by_price and (customer is None or each["customer"] == customer)

    page = ask.page("subscription", keep)
    form.finish()
    return page


def _get(ask: Ask) -> Shape:
    wanted = ask.form.texts("expand") or []
    ask.form.finish()
    return _shown(ask, ask.find("subscription", ask.at("subscription_exposed_id")), wanted)


def _update(ask: Ask) -> Shape:
    form, subscription = ask.form, _living(ask)
    before = subscription["metadata"]
    notes = form.notes(before if isinstance(before, dict) else None)
    ends, wanted = form.flag("cancel_at_period_end"), form.texts("expand") or []
    form.one_of("proration_behavior", "always_invoice", "create_prorations", "none")
    items = _changed(ask, subscription, form.parts("items"))
    form.finish()
    if not items:
        raise Refused(400, "A subscription must have at least one item.", None, "items")
    subscription |= {"metadata": notes, "items": list_shape("/v1/subscription_items", items)}
    if ends is not None:
        last = max(number(each, "current_period_end") for each in items)
        subscription |= {"cancel_at_period_end": ends, "cancel_at": last if ends else None}
        subscription["canceled_at"] = ask.time if ends else None
    return _shown(ask, subscription, wanted)


def _changed(ask: Ask, subscription: Shape, changes: list[Form]) -> list[Shape]:
    items = {str(each["id"]): each for each in _items_of(subscription)}
    for form in changes:
        id, price, quantity = form.text("id"), form.text("price"), form.number("quantity")
        is_deleted = form.flag("deleted")
        form.finish()
        if id is not None and id not in items:
            raise Refused(400, f"No such subscription item: '{id[:100]}'", "resource_missing", "items[0][id]")
        if id is not None and is_deleted:
            del items[id]
            continue
        found = ask.find("price", price, "items[0][price]") if price else None
        if found is not None and found["type"] != "recurring":
            raise Refused(400, "The price specified is set to `type=one_time`.", None, "items[0][price]")
        if id is None:
            if found is None:
                raise Refused(400, "Missing required param: items[0][price].", "parameter_missing", "items[0][price]")
            added = _item(ask, str(subscription["id"]), found, 1 if quantity is None else quantity)
            items[str(added["id"])] = added
            continue
        changed = {**items[id]}
        changed |= {"price": found} if found else {}
        changed |= {"quantity": quantity} if quantity is not None else {}
        items[id] = changed
    return [*items.values()]


def _living(ask: Ask) -> Shape:
    subscription = ask.find("subscription", ask.at("subscription_exposed_id"))
    if subscription["status"] == "canceled":
        raise Refused(404, f"No such subscription: '{subscription['id']}'", "resource_missing", "id")
    return subscription


def _cancel(ask: Ask) -> Shape:
    ask.form.flag("invoice_now")
    ask.form.flag("prorate")
    ask.form.finish()
    subscription = _living(ask)
    subscription |= {"status": "canceled", "canceled_at": ask.time, "ended_at": ask.time}
    return subscription


# ------------------------------------------------------------------------------------------------- invoices


def _invoice(desk: Desk, subscription: Shape, customer: Shape) -> Shape:
    total = 0
    for item in _items_of(subscription):
        price = item["price"] if isinstance(item["price"], dict) else {}
        total += number(price, "unit_amount") * number(item, "quantity")
    invoice = desk.book.put(new_invoice(desk, customer, str(subscription["currency"]), total))
    invoice["parent"] = {
        "type": "subscription_details",
        "quote_details": None,
        "subscription_details": {"metadata": {}, "subscription": subscription["id"]},
    }
    days = subscription["days_until_due"]
    invoice["due_date"] = desk.time + days * 86_400 if isinstance(days, int) else None
    invoice["collection_method"] = subscription["collection_method"]
    subscription["latest_invoice"] = invoice["id"]
    return invoice


def new_invoice(desk: Desk, customer: Shape, currency: str, total: int) -> Shape:
    """An open invoice."""
    id = desk.id("in")
    page = f"{desk.root}/pages/{id}"
    zeros = ("amount_overpaid", "amount_paid", "amount_shipping", "attempt_count", "starting_balance")
    notes = ("post_payment_credit_notes_amount", "pre_payment_credit_notes_amount")
    return {
        "id": id,
        "object": "invoice",
        **dict.fromkeys((*zeros, *notes), 0),
        "amount_due": total,
        "amount_remaining": total,
        "attempted": False,
        "automatic_tax": {"enabled": False},
        "collection_method": "charge_automatically",
        "created": desk.time,
        "currency": currency,
        "customer": customer["id"],
        "customer_email": customer["email"],
        "default_tax_rates": [],
        "discounts": [],
        "due_date": None,
        "hosted_invoice_url": page,
        "invoice_pdf": f"{page}/pdf",
        "issuer": {"type": "self"},
        "lines": list_shape(f"/v1/invoices/{id}/lines", []),
        "livemode": desk.book.live,
        "metadata": {},
        "number": f"HARBOUR-{len(desk.book.all('invoice')) + 1:04}",
        "parent": None,
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "period_end": desk.time,
        "period_start": desk.time,
        "status": "open" if total else "paid",
        "status_transitions": {"finalized_at": desk.time, "paid_at": None if total else desk.time},
        "subtotal": total,
        "total": total,
    }


def _invoices(ask: Ask) -> Shape:
    form = ask.form
    customer, subscription = form.text("customer"), form.text("subscription")
    status = form.one_of("status", "draft", "open", "paid", "uncollectible", "void")

    def keep(each: Shape) -> bool:
        fits = (customer is None or each["customer"] == customer) and (status is None or each["status"] == status)
        return fits and (subscription is None or subscription in str(each["parent"]))

    page = ask.page("invoice", keep)
    form.finish()
    return page
