"""Parameters that several actions on Stripe share."""

from typing import Literal

from adapters._kit import Annotated, Field, Part
from domain.json import Json

_ID = r"^[A-Za-z0-9_.:-]{1,255}$"

CustomerId = Annotated[str, Field(description="The customer's id, e.g. cus_NffrFeUfNV2Hib.", pattern=_ID)]
ProductId = Annotated[str, Field(description="The product's id, e.g. prod_NWjs8kKbJWmuuc.", pattern=_ID)]
PriceId = Annotated[str, Field(description="The price's id, e.g. price_1MoBy5LkdIwHu7ix.", pattern=_ID)]
SubscriptionId = Annotated[
    str, Field(description="The subscription's id, e.g. sub_1MowQVLkdIwHu7ix.", pattern=r"^sub_[A-Za-z0-9_]{1,250}$")
]
ChargeId = Annotated[
    str, Field(description="The charge's id: ch_ or py_ and more.", pattern=r"^(ch|py)_[A-Za-z0-9_]{1,250}$")
]
PaymentIntentId = Annotated[
    str, Field(description="The payment's id: pi_ and more.", pattern=r"^pi_[A-Za-z0-9_]{1,250}$")
]

Currency = Annotated[
    str, Field(description="ISO 4217, three lower-case letters, e.g. usd, eur, jpy.", pattern=r"^[a-z]{3}$")
]
Amount = Annotated[
    int,
    Field(
        description="In the currency's smallest unit: 1999 is 19.99 usd, 2000 is 2000 jpy (no decimals), 5250 is "
        "5.250 kwd (three). isk and ugx count as if they had two decimals: 500 is 5 isk.",
        ge=0,
        le=999_999_999_999,
    ),
]
Limit = Annotated[int, Field(description="The most to return, newest first.", ge=1, le=1000)]
Email = Annotated[
    str, Field(description="E-mail address.", max_length=512, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$")
]
Name = Annotated[str, Field(description="As invoices show it.", min_length=1, max_length=256)]
Url = Annotated[str, Field(max_length=2048, pattern=r"^https?://[^\s\x00-\x1f]+$")]
Interval = Literal["day", "week", "month", "year"]
IntervalCount = Annotated[
    int, Field(description="Every how many of the interval, e.g. 3 with month for quarterly.", ge=1, le=1095)
]
TrialDays = Annotated[int, Field(description="Days free of charge at the beginning.", ge=1, le=730)]
DaysUntilDue = Annotated[
    int, Field(description="Days to pay each invoice; with collection_method send_invoice only.", ge=0, le=365)
]
CollectionMethod = Annotated[
    Literal["charge_automatically", "send_invoice"],
    Field(description="Charge the stored payment method, or e-mail an invoice; this one needs days_until_due."),
]
Since = Annotated[int, Field(description="Created at this time or later, in epoch seconds.", ge=0, le=4_102_444_800)]
Until = Annotated[int, Field(description="Created before this time, in epoch seconds.", ge=0, le=4_102_444_800)]


class Metadatum(Part):
    """A note of the account's own on an object."""

    key: str = Field(description="Its name.", pattern=r"^[^\[\]\x00-\x1f]{1,40}$")
    value: str = Field(description="At most 500 characters. Empty in an update: takes the note away.", max_length=500)


class Address(Part):
    """A postal address."""

    line1: str | None = Field(None, description="Street, number.", max_length=500)
    line2: str | None = Field(None, description="Flat, suite, building.", max_length=500)
    city: str | None = Field(None, description="City or town.", max_length=500)
    state: str | None = Field(None, description="State, county, province.", max_length=500)
    postal_code: str | None = Field(None, description="Postal code.", max_length=50)
    country: str | None = Field(None, description="ISO 3166-1 alpha-2, e.g. DE.", pattern=r"^[A-Z]{2}$")


class Recurring(Part):
    """How often a price is charged."""

    interval: Interval = Field(description="Day, week, month or year.")
    interval_count: IntervalCount = 1


class Item(Part):
    """A price and how many of it."""

    price: PriceId
    quantity: int = Field(1, description="How many.", ge=1, le=1_000_000)


Metadata = Annotated[
    list[Metadatum], Field(description="Notes of your own on it, read by programs.", min_length=1, max_length=50)
]
Items = Annotated[list[Item], Field(description="What is sold. All in one currency.", min_length=1, max_length=20)]


def noted(metadata: list[Metadatum] | None) -> dict[str, Json] | None:
    """As Stripe takes it."""
    return None if metadata is None else {each.key: each.value for each in metadata}


def spoken(part: Part | None) -> dict[str, Json] | None:
    """A part without what was left out."""
    return None if part is None else part.model_dump(exclude_none=True)


def listed(items: list[Item]) -> list[Json]:
    """As Stripe takes them."""
    return [{"price": each.price, "quantity": each.quantity} for each in items]


def created(since: int | None, until: int | None) -> dict[str, Json]:
    """The window of a list."""
    return {"gte": since, "lt": until}
