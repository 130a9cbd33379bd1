"""What the actions on DNSimple answer with: what all registrars share, and what DNSimple tells beside it."""

from decimal import Decimal
from typing import Literal

from adapters._kit import Field, Result, registrar
from adapters._kit.registrar import Money, State, ordered
from adapters._kit.zone import unquoted
from domain.json import Json, JsonObject

#: DNSimple's words for how a registration stands, in those of all registrars.
_STATES: dict[str, State] = {
    "new": "pending",
    "registering": "pending",
    "registered": "registered",
    "failed": "failed",
    "cancelled": "cancelled",
}
_RENEWAL_STATES = {"new": "pending", "renewing": "pending"}


class Account(Result):
    """An account at DNSimple."""

    id: int
    email: str
    plan: str = Field(validation_alias="plan_identifier", description="What the account is subscribed to.")


class Contact(Result):
    """Somebody domains can be registered for. Address, phone and e-mail are left out: they are people's."""

    id: int
    label: str | None = None
    first_name: str
    last_name: str
    organization: str | None = Field(None, validation_alias="organization_name")


class Domain(registrar.Domain):
    """A domain of this account."""

    domain: str = Field(validation_alias="name")
    state: Literal["hosted", "registered", "expired"] = Field(
        description="`hosted`: DNSimple serves its DNS and is not its registrar."
    )
    autorenew: bool = Field(validation_alias="auto_renew")
    privacy: bool = Field(validation_alias="private_whois")
    nameservers: list[str] | None = Field(None, description="Told by get_domain, for domains registered here.")


class Registration(registrar.Registration):
    """A purchase on its way."""

    registration_id: int = Field(validation_alias="id", description="What get_registration asks for.")
    years: int = Field(validation_alias="period")
    autorenew: bool = Field(validation_alias="auto_renew")
    privacy: bool = Field(validation_alias="whois_privacy")


class Renewal(registrar.Renewal):
    """Added years, on their way."""

    years: int = Field(validation_alias="period")


class Zone(registrar.Zone):
    """The DNS of one domain."""

    domain: str = Field(validation_alias="name")


class Record(registrar.Record):
    """A DNS record."""

    system: bool = Field(validation_alias="system_record", description="Kept by DNSimple itself; cannot be changed.")
    parent_id: registrar.Identifier | None = Field(None, description="The record this one comes and goes with.")


class Changes(Result):
    """What one batch has done."""

    created: list[Record]
    updated: list[Record]
    deleted: list[str] = Field(description="Ids.")


class Quote(Result):
    """Today's prices, as DNSimple tells them."""

    premium: bool
    registration_price: Money
    renewal_price: Money
    transfer_price: Money | None = None
    trustee_price: Money | None = None


def registration_of(data: Json, domain: str, price: Decimal | None = None) -> Registration:
    """A registration; the price is ours to add. Raises AnswerGarbled."""
    return Registration.of(ordered(data, _STATES, domain, price))


def renewal_of(data: Json, domain: str, price: Decimal) -> Renewal:
    """A renewal. Raises AnswerGarbled."""
    return Renewal.of(ordered(data, _RENEWAL_STATES, domain, price))


def record_of(data: JsonObject) -> Record:
    """A record: the top of a zone is an empty name at DNSimple. Raises AnswerGarbled."""
    content = data.get("content")
    answer = unquoted(content) if data.get("type") == "TXT" and isinstance(content, str) else content
    return Record.of({**data, "host": data.get("name") or "@", "answer": answer})
