"""What the integrations of registrars share, so that an agent can use one as it uses another.

The parameters and results here mean the same at every service: hosts are within their domain, "@" is its top,
prices are decimal text in US dollars. A service adds to a result what only it tells.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from adapters._kit.result import Result
from domain.errors import Rejected
from domain.json import Json

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_CENT = Decimal("0.01")

# ------------------------------------------------------------------------------------------------ parameters

DomainName = Annotated[
    str,
    Field(
        description="A domain in lower case, e.g. example.com; international names in punycode (xn--…).",
        min_length=4,
        max_length=253,
        pattern=rf"^({_LABEL}\.)+{_LABEL}$",
    ),
]
Keyword = Annotated[str, Field(description="A word, or a whole domain name.", min_length=1, max_length=253)]
Tld = Annotated[str, Field(min_length=2, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Years = Annotated[int, Field(description="For how many years.", ge=1, le=10)]
Term = Annotated[int | None, Field(description="The shortest term when left out.", ge=1, le=10)]
MaxPrice = Annotated[
    float,
    Field(
        description="The most it may cost for all the years, in US dollars before tax, e.g. 15.00.", gt=0, le=100_000
    ),
]
Limit = Annotated[int, Field(description="The most to return.", ge=1, le=1000)]
Host = Annotated[
    str,
    Field(
        description='Name within the domain, e.g. www; "@" is the domain itself.',
        max_length=253,
        pattern=r"^(@|[A-Za-z0-9_*]([A-Za-z0-9_.*-]*[A-Za-z0-9_])?)$",
    ),
]
#: Without control characters: no record holds them, and some services take them and serve something else.
Value = Annotated[
    str,
    Field(
        description='An address, a host name or text, as the type asks; for SRV "weight port target".',
        min_length=1,
        max_length=4_000,
        pattern=r"^[^\x00-\x1f\x7f]+$",
    ),
]
Values = Annotated[list[Value], Field(description="All the answers there shall be.", min_length=1, max_length=50)]
Priority = Annotated[int | None, Field(description="Needed for MX and SRV; others have none.", ge=0, le=65_535)]
#: Where a service numbers its records: the ids of records are text everywhere, whatever a service makes them of.
RecordNumber = Annotated[
    str, Field(description="The record's `id` from list_dns_records.", max_length=16, pattern=r"^[1-9][0-9]*$")
]
Nameservers = Annotated[
    list[Annotated[str, Field(min_length=4, max_length=253, pattern=rf"^({_LABEL}\.)+[a-z0-9-]{{2,63}}$")]],
    Field(description="All there shall be, in lower case.", min_length=2, max_length=13),
]

# --------------------------------------------------------------------------------------------------- results


def decimal_text(amount: Json) -> Json:
    """An amount as decimal text with at least two places; what is none as it is, for the schema to judge.

    JSON numbers pass through binary fractions on their way to an agent, and an amount that is compared with a
    limit must not change on the way.
    """
    if isinstance(amount, bool) or not isinstance(amount, (int, float, str)):
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
Identifier = Annotated[str, BeforeValidator(lambda told: str(told) if type(told) is int else told)]
State = Literal["pending", "action_required", "blocked", "registered", "failed", "cancelled"]


class Offer(Result):
    """Whether a domain can be bought now, and for how much. Prices are there only when it can."""

    domain: str
    purchasable: bool
    premium: bool = False
    purchase_price: Money | None = Field(None, description="For the shortest term, usually one year.")
    renewal_price: Money | None = Field(None, description="For each later year.")


class Pricing(Result):
    """What a domain costs for the years asked about. A price is null when the service does not sell that."""

    premium: bool
    purchase_price: Money | None
    renewal_price: Money | None
    transfer_price: Money | None


class Registration(Result):
    """A purchase on its way.

    `pending` goes on by itself, `action_required` waits for a person, `blocked` for a third party; the others are
    the end.
    """

    domain: str
    state: State
    quoted_price: Money | None = Field(
        None, description="What it was said to cost right before it was ordered, for all the years, before tax."
    )


class Renewal(Result):
    """Added years. While `pending` they are on their way; the other states are the end."""

    domain: str
    years: int
    state: Literal["pending", "renewed", "failed", "cancelled"]
    quoted_price: Money = Field(
        description="What it was said to cost right before it was ordered, for all the years, before tax."
    )


class Domain(Result):
    """A domain of this account. Contacts are left out: they are people's addresses."""

    domain: str
    created_at: str
    expires_at: str | None = Field(None, description="Null while it is not registered here, or not yet.")
    autorenew: bool
    privacy: bool


class Zone(Result):
    """The DNS of one domain."""

    domain: str
    active: bool = Field(description="Whether its records are served.")


class Record(Result):
    """A DNS record."""

    id: Identifier
    type: str
    host: str = Field(description='Within the domain; "@" is its top.')
    answer: str
    ttl: int = Field(description="Seconds.")
    priority: int | None = Field(None, description="Of MX and SRV records.")


def ordered(data: Json, words: Mapping[str, str], domain: str, price: Decimal | None) -> dict[str, Json]:
    """What a service tells about an order, with what we add: whose it is, the state in our `words`, the price asked
    before. A state that is not among the words stays, for the schema to judge.
    """
    told = data if isinstance(data, dict) else {}
    state = told.get("state")
    known = words.get(state, state) if isinstance(state, str) else state
    return {**told, "domain": domain, "state": known, "quoted_price": None if price is None else str(price)}


def refuse_above(max_price: float, price: Decimal, domain: str) -> None:
    """Raises Rejected when it costs more than was allowed. To be asked right before money is spent."""
    if price > Decimal(str(max_price)):
        raise Rejected(f"{domain} costs {price} US dollars now, above the limit of {max_price}. Not bought.")
