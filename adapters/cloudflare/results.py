"""What the actions on Cloudflare answer with: what all registrars share, and what Cloudflare tells beside it."""

from decimal import Decimal
from typing import Literal

from adapters._kit import AliasPath, Field, Result, registrar
from adapters._kit.pointing import find
from adapters._kit.registrar import State, ordered
from adapters._kit.zone import relative, unquoted
from domain.json import Json, JsonObject

#: Cloudflare's words for how a registration stands, in those of all registrars.
_STATES: dict[str, State] = {
    "pending": "pending",
    "in_progress": "pending",
    "action_required": "action_required",
    "blocked": "blocked",
    "succeeded": "registered",
    "failed": "failed",
}


class Account(Result):
    """An account at Cloudflare."""

    id: str
    name: str
    type: str | None = None


class TokenStatus(Result):
    """How the API token stands."""

    status: Literal["active", "disabled", "expired"]
    expires_at: str | None = Field(None, validation_alias="expires_on", description="Null when it never does.")


class Offer(registrar.Offer):
    """Whether a domain can be bought now, and for how much. Prices are there only when it can."""

    reason: str | None = Field(None, description="Why it cannot be bought, in Cloudflare's word.")


class Failure(Result):
    """Why a registration failed, in Cloudflare's words."""

    code: str
    message: str


class Registration(registrar.Registration):
    """A purchase on its way."""

    needed_action: str | None = Field(
        None, validation_alias=AliasPath("context", "action"), description="What a person must do, where one must."
    )
    failure: Failure | None = Field(None, validation_alias="error")


class Domain(registrar.Domain):
    """A domain of this account."""

    domain: str = Field(validation_alias="domain_name")
    autorenew: bool = Field(validation_alias="auto_renew")
    status: str = Field(description="`active`, or why it is not.")
    locked: bool = Field(description="Against being moved to another registrar.")


class Zone(registrar.Zone):
    """The DNS of one domain."""

    id: str
    status: str | None = Field(None, description="`pending`: its domain does not use the name servers yet.")
    nameservers: list[str] = Field(validation_alias="name_servers", description="Those the domain must use.")


class Record(registrar.Record):
    """A DNS record."""

    ttl: int = Field(description="Seconds; 1 means that Cloudflare decides.")
    proxied: bool = Field(False, description="Whether visitors reach Cloudflare, which passes them on.")


def offer_of(data: JsonObject) -> Offer:
    """An offer. Prices in other currencies are left out: ours are US dollars. Raises AnswerGarbled."""
    is_dollars = find(data, "pricing.currency") == "USD"
    return Offer.of(
        {
            "domain": data.get("name"),
            "purchasable": data.get("registrable"),
            "premium": data.get("tier") == "premium" or data.get("reason") == "domain_premium",
            "purchase_price": find(data, "pricing.registration_cost") if is_dollars else None,
            "renewal_price": find(data, "pricing.renewal_cost") if is_dollars else None,
            "reason": data.get("reason"),
        }
    )


def registration_of(data: Json, domain: str, price: Decimal | None = None) -> Registration:
    """A registration; the price is ours to add. Raises AnswerGarbled."""
    return Registration.of(ordered(data, _STATES, domain, price))


def domain_of(data: JsonObject) -> Domain:
    """A domain. Raises AnswerGarbled."""
    return Domain.of({**data, "privacy": data.get("privacy_mode") == "redaction"})


def zone_of(data: JsonObject) -> Zone:
    """A zone. Raises AnswerGarbled."""
    return Zone.of({**data, "domain": data.get("name"), "active": data.get("status") == "active"})


def record_of(data: Json, domain: str) -> Record:
    """A record: Cloudflare gives whole names, and some answers in parts. Raises AnswerGarbled."""
    told = data if isinstance(data, dict) else {}
    name, priority = told.get("name"), told.get("priority")
    if told.get("type") == "SRV":
        priority = find(told, "data.priority")
    host = relative(name, domain) if isinstance(name, str) else name
    return Record.of({**told, "host": host, "answer": _answer(told), "priority": priority})


def _answer(told: JsonObject) -> Json:
    content, parts = told.get("content"), told.get("data")
    match told.get("type"):
        case "SRV" if isinstance(parts, dict):
            return f"{_whole(parts.get('weight'))} {_whole(parts.get('port'))} {parts.get('target')}"
        case "CAA" if isinstance(parts, dict):
            return f'{_whole(parts.get("flags"))} {parts.get("tag")} "{parts.get("value")}"'
        case "TXT" if isinstance(content, str):
            return unquoted(content)
    return content


def _whole(number: Json) -> Json:
    return int(number) if isinstance(number, float) and number.is_integer() else number
