"""What the actions on name.com answer with.

Prices are decimal text in US dollars, such as "12.99": JSON numbers pass through binary fractions on their
way to an agent, and an amount that is compared with a limit must not change on the way.
"""

from decimal import Decimal, InvalidOperation
from typing import Annotated

from adapters._kit import AliasChoices, BeforeValidator, Field, Result
from domain.json import Json

_CENT = Decimal("0.01")


def decimal_text(amount: Json) -> Json:
    """A JSON number as decimal text with at least two places; anything else as it is, for the schema to
    judge.
    """
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        return amount
    try:
        exact = Decimal(str(amount))
        return f"{exact:.2f}" if exact == exact.quantize(_CENT) else f"{exact:f}"
    except InvalidOperation:
        raise ValueError("not an amount of money") from None


Money = Annotated[
    str,
    BeforeValidator(decimal_text),
    Field(pattern=r"^[0-9]+\.[0-9]{2,}$", description='US dollars, e.g. "12.99".'),
]
#: name.com writes the top of a zone as "", "@" or null; here it is always "@".
Host = Annotated[
    str, BeforeValidator(lambda host: host or "@"), Field(description='Within the domain; "@" is its top.')
]


class Offer(Result):
    """Whether a domain can be bought now, and for how much. Prices are there only when it can."""

    domain: str = Field(validation_alias=AliasChoices("domainName", "domain"))
    purchasable: bool
    premium: bool = False
    purchase_price: Money | None = Field(
        None,
        validation_alias=AliasChoices("purchasePrice", "purchase_price"),
        description="For the shortest term, usually one year.",
    )
    renewal_price: Money | None = Field(
        None,
        validation_alias=AliasChoices("renewalPrice", "renewal_price"),
        description="For each later year.",
    )
    purchase_type: str | None = Field(None, validation_alias=AliasChoices("purchaseType", "purchase_type"))


class Pricing(Result):
    """What a domain costs for the years asked about. A price is null when name.com does not sell that."""

    premium: bool
    purchase_price: Money | None = Field(validation_alias="purchasePrice")
    renewal_price: Money | None = Field(validation_alias="renewalPrice")
    transfer_price: Money | None = Field(validation_alias="transferPrice")


class Domain(Result):
    """A domain of this account. Contacts are left out: they are people's addresses."""

    domain: str = Field(validation_alias="domainName")
    created_at: str = Field(validation_alias="createDate")
    expires_at: str = Field(validation_alias="expireDate")
    autorenew: bool = Field(validation_alias="autorenewEnabled")
    locked: bool
    privacy: bool = Field(validation_alias="privacyEnabled")
    nameservers: list[str]
    renewal_price: Money = Field(validation_alias="renewalPrice")


class Purchase(Result):
    """A domain that was bought."""

    domain: Domain
    order: int
    total_paid: Money = Field(validation_alias="totalPaid", description="With tax and privacy protection.")


class Record(Result):
    """A DNS record."""

    id: int
    type: str
    host: Host = "@"
    answer: str
    ttl: int = Field(description="Seconds.")
    priority: int | None = Field(None, description="Of MX and SRV records.")
