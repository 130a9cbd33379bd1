"""What the actions on name.com answer with: what all registrars share, and what name.com tells beside it."""

from decimal import Decimal

from adapters._kit import Field, Result, registrar
from adapters._kit.registrar import Money, Pricing, Record, ordered
from domain.json import Json, JsonObject

#: name.com's names for what all registrars have.
_NAMES = {
    "domainName": "domain",
    "purchasePrice": "purchase_price",
    "purchaseType": "purchase_type",
    "renewalPrice": "renewal_price",
    "transferPrice": "transfer_price",
    "createDate": "created_at",
    "expireDate": "expires_at",
    "autorenewEnabled": "autorenew",
    "privacyEnabled": "privacy",
    "totalPaid": "total_paid",
    "username": "id",
}


class Account(Result):
    """An account at name.com."""

    id: str = Field(description="The username.")


class Offer(registrar.Offer):
    """Whether a domain can be bought now, and for how much. Prices are there only when it can."""

    purchase_type: str | None = Field(None, description="`registration`, or how else name.com sells it.")


class Domain(registrar.Domain):
    """A domain of this account."""

    locked: bool = Field(description="Against being moved to another registrar.")
    nameservers: list[str]
    renewal_price: Money


class Registration(registrar.Registration):
    """A domain that was bought. name.com registers at once: `state` is `registered`."""

    order: int
    total_paid: Money = Field(description="With tax and privacy protection.")
    expires_at: str
    autorenew: bool
    privacy: bool


class Renewal(registrar.Renewal):
    """Added years. name.com renews at once: `state` is `renewed`."""

    order: int | None = None
    total_paid: Money | None = Field(None, description="With tax.")
    expires_at: str | None = Field(None, description="The new day.")


def account_of(data: Json) -> Account:
    """Whose token it is. Raises AnswerGarbled."""
    return Account.of(_ours(data))


def offer_of(data: Json) -> Offer:
    """An offer. Raises AnswerGarbled."""
    return Offer.of(_ours(data))


def pricing_of(data: Json) -> Pricing:
    """Prices. Raises AnswerGarbled."""
    return Pricing.of(_ours(data))


def domain_of(data: Json) -> Domain:
    """A domain. Raises AnswerGarbled."""
    return Domain.of(_ours(data))


def registration_of(data: Json, domain: str, price: Decimal) -> Registration:
    """An order that was carried out; the price is ours to add. Raises AnswerGarbled."""
    return Registration.of({**ordered(_order(data), {}, domain, price), "state": "registered"})


def renewal_of(data: Json, domain: str, price: Decimal, years: int) -> Renewal:
    """A renewal that was carried out; price and years are ours to add. Raises AnswerGarbled."""
    return Renewal.of({**ordered(_order(data), {}, domain, price), "state": "renewed", "years": years})


def record_of(data: Json) -> Record:
    """A record: name.com writes the top of a zone as "", "@" or null. Raises AnswerGarbled."""
    told = data if isinstance(data, dict) else {}
    return Record.of({**told, "host": told.get("host") or "@"})


def _ours(data: Json) -> dict[str, Json]:
    """The members under the names of all registrars."""
    told: JsonObject = data if isinstance(data, dict) else {}
    return {_NAMES.get(name, name): value for name, value in told.items()}


def _order(data: Json) -> dict[str, Json]:
    """An order with what it tells about its domain, side by side."""
    told = _ours(data)
    return {**_ours(told.get("domain")), **told}
