"""What the Stripe sandbox has in its books when it is new: a little harbour business, and a cafe in yen."""

from adapters.stripe.sandbox_api import Desk
from adapters.stripe.sandbox_billing import new_subscription
from adapters.stripe.sandbox_catalogue import new_customer, new_price, new_product
from adapters.stripe.sandbox_money import charge, move
from adapters.stripe.sandbox_state import HARBOUR, QUAY, Shape, World

_DAY = 86_400
_MONTHLY: Shape = {"interval": "month", "interval_count": 1, "usage_type": "licensed", "meter": None}


def fill(world: World, now: float) -> None:
    """Put it there. `now` is in epoch seconds; what happened, happened in the weeks before."""
    _harbour(Desk(world, world.book(HARBOUR, live=False), int(now), ""))
    _quay(Desk(world, world.book(QUAY, live=False), int(now), ""))


def _harbour(desk: Desk) -> None:
    """Euros and some dollars; one customer with a card and a subscription, one without."""
    today = desk.time
    desk.time = today - 60 * _DAY
    berth, tides = (desk.book.put(new_product(desk, name)) for name in ("Berth", "Tide tables"))
    monthly = _priced(desk, berth, 4900, "eur", _MONTHLY)
    _priced(desk, tides, 1250, "eur", None)
    lin = _customer(desk, "Lin Harbour", "lin@harbour.example", has_card=True)
    _customer(desk, "Sam Quay", "sam@quay.example", has_card=False)
    desk.time = today - 45 * _DAY
    subscription = desk.book.put(new_subscription(desk, lin, [(monthly, 1)], "charge_automatically"))
    subscription["metadata"] = {"berth": "12"}
    for days, amount in ((45, 4900), (20, 1250), (15, 4900)):
        desk.time = today - days * _DAY
        charge(desk, lin, amount, "eur")
    desk.time = today - 9 * _DAY
    paid = charge(desk, lin, 3000, "usd")
    desk.time = today - 8 * _DAY
    paid["amount_refunded"] = 1000
    move(desk, "refund", "refund", -1000, "usd", desk.id("re"))
    desk.time = today - 5 * _DAY
    move(desk, "stripe_fee", "fee", -200, "eur", None)
    move(desk, "payout", "payout", -5000, "eur", desk.id("po"))


def _quay(desk: Desk) -> None:
    """Yen, which has no decimals."""
    desk.time -= 3 * _DAY
    bun = desk.book.put(new_product(desk, "Melon bun"))
    _priced(desk, bun, 320, "jpy", None)
    guest = _customer(desk, "Mio", "mio@quay.example", has_card=True)
    charge(desk, guest, 3200, "jpy")


def _priced(desk: Desk, product: Shape, amount: int, currency: str, recurring: Shape | None) -> Shape:
    terms: Shape = {"currency": currency, "unit_amount": amount, "recurring": recurring}
    price = desk.book.put(new_price(desk, str(product["id"]), terms))
    product["default_price"] = price["id"]
    return price


def _customer(desk: Desk, name: str, email: str, *, has_card: bool) -> Shape:
    card = desk.id("card") if has_card else None
    return desk.book.put({**new_customer(desk), "name": name, "email": email, "default_source": card})
