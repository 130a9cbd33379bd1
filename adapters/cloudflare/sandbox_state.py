"""What the Cloudflare sandbox remembers, what it knows when it is new, and what domains cost there.

Everything in it is invented: no price, no name and no account means anything outside. Money is in US cents.
"""

import hashlib
from dataclasses import dataclass

from pydantic import BaseModel, Field, JsonValue

from adapters._kit.sandbox import RateLimits
from adapters._kit.sandbox_registrar import Practice, belongs_to_others

ACCOUNT_ID = "4a1b0000000000000000000000000001"
ACCOUNT_NAME = "Harbour Office"
OTHER_ACCOUNT_ID = "4a1b0000000000000000000000000002"
#: Of a person who may use both accounts.
TOKEN = "cloudflare-sandbox-token-of-harbour-0001"
#: Of the first account itself.
ACCOUNT_TOKEN = "cfat_sandbox-token-of-the-harbour-account"
#: Of the same person, and may only read.
READING_TOKEN = "cloudflare-sandbox-token-for-reading-001"
#: Of an account without a payment method.
OTHER_TOKEN = "cloudflare-sandbox-token-of-quay-0000001"
NAMESERVERS = ["ada.ns.sandbox.invalid", "lin.ns.sandbox.invalid"]
#: How long a registration takes.
REGISTRY_SECONDS = 20
#: What a name begins with decides how its registration goes.
FAILING, ASKING, BLOCKED = "fail-", "confirm-", "blocked-"

_BEGINNING = "2026-01-12T09:00:00Z"


@dataclass(frozen=True)
class Ending:
    """What one ending costs a year, in cents, and the fewest years it is sold for."""

    first: int
    later: int
    fewest_years: int = 1


ENDINGS = {
    "com": Ending(1046, 1046),
    "net": Ending(1186, 1186),
    "org": Ending(750, 1011),
    "dev": Ending(1218, 1218),
    "app": Ending(1418, 1418),
    "ai": Ending(8000, 8000, fewest_years=2),
}
#: Sold to people only.
DASHBOARD_ENDINGS = ("sh", "link")
#: Names as short as this are premium, which the API does not sell.
PREMIUM_LENGTH = 4


class Token(BaseModel):
    """What a token may do, and in which accounts. `is_of_account`: it belongs to the account, not to a person."""

    id: str
    accounts: list[str]
    may_write: bool = True
    is_of_account: bool = False
    expires_on: str | None = None


class Account(BaseModel):
    """An account."""

    id: str
    name: str
    can_pay: bool = True


class Record(BaseModel):
    """A DNS record; `name` is whole. `data` are the parts of an answer that has parts."""

    id: str
    type: str
    name: str
    content: str
    ttl: int = 1
    priority: int | None = None
    proxied: bool = False
    data: dict[str, JsonValue] | None = None
    comment: str | None = None
    created_on: str = _BEGINNING
    modified_on: str = _BEGINNING


class Zone(BaseModel):
    """The DNS of one domain."""

    id: str
    name: str
    account: str
    status: str = "active"
    created_on: str = _BEGINNING
    records: list[Record] = Field(default_factory=list)


class Registration(BaseModel):
    """A domain of an account, or an order for one; `due` is in epoch seconds, for those on their way."""

    domain: str
    account: str
    years: int
    state: str
    due: float = 0
    created_at: str
    updated_at: str
    expires_at: str | None = None
    autorenew: bool = False


class World(BaseModel):
    """All of it. Tokens by their value, the others by id or name."""

    last_id: int = 1000
    tokens: dict[str, Token] = Field(default_factory=dict)
    accounts: dict[str, Account] = Field(default_factory=dict)
    zones: dict[str, Zone] = Field(default_factory=dict)
    registrations: dict[str, Registration] = Field(default_factory=dict)

    def new_id(self) -> str:
        """An identifier nothing else has."""
        self.last_id += 1
        return hashlib.md5(f"sandbox {self.last_id}".encode(), usedforsecurity=False).hexdigest()


@dataclass
class Registry(Practice[World]):
    """The running sandbox, with its limits."""

    per_window: RateLimits

    def settle(self) -> None:
        """Let the registrations go on that are due."""
        for each in self.world.registrations.values():
            if each.state != "in_progress" or each.due > self.now():
                continue
            each.state, each.updated_at = _end_of(each.domain), self.stamp()
            if each.state == "succeeded":
                each.expires_at = self.stamp(each.years)
                zone = new_zone(self.world, each.domain, each.account)
                zone.created_on = self.stamp()
            self.file.save(self.world)

    def is_free(self, name: str) -> bool:
        """Whether somebody may buy it."""
        known = self.world.registrations.get(name)
        return not belongs_to_others(name) and (known is None or known.state == "failed")


def _end_of(domain: str) -> str:
    for beginning, state in ((FAILING, "failed"), (ASKING, "action_required"), (BLOCKED, "blocked")):
        if domain.startswith(beginning):
            return state
    return "succeeded"


def new_zone(world: World, name: str, account: str) -> Zone:
    """An empty zone."""
    zone = Zone(id=world.new_id(), name=name, account=account)
    world.zones[zone.id] = zone
    return zone


def dollars(cents: int) -> str:
    """As the API writes amounts."""
    return f"{cents // 100}.{cents % 100:02}"


def seeded_world() -> World:
    """A new world: two accounts, of which the first has domains and zones, one of them with records."""
    world = World()
    world.accounts = {
        ACCOUNT_ID: Account(id=ACCOUNT_ID, name=ACCOUNT_NAME),
        OTHER_ACCOUNT_ID: Account(id=OTHER_ACCOUNT_ID, name="Quayside Cafe", can_pay=False),
    }
    both = [ACCOUNT_ID, OTHER_ACCOUNT_ID]
    world.tokens = {
        TOKEN: Token(id=world.new_id(), accounts=both),
        ACCOUNT_TOKEN: Token(
            id=world.new_id(), accounts=[ACCOUNT_ID], is_of_account=True, expires_on="2030-01-01T00:00:00Z"
        ),
        READING_TOKEN: Token(id=world.new_id(), accounts=[ACCOUNT_ID], may_write=False),
        OTHER_TOKEN: Token(id=world.new_id(), accounts=[OTHER_ACCOUNT_ID]),
    }
    harbour = new_zone(world, "harbour-office.com", ACCOUNT_ID)
    top = harbour.name
    harbour.records = [
        Record(id=world.new_id(), type="A", name=top, content="203.0.113.10", proxied=True),
        Record(id=world.new_id(), type="CNAME", name=f"www.{top}", content=top, ttl=300),
        Record(id=world.new_id(), type="MX", name=top, content=f"mail.{top}", ttl=300, priority=10),
        Record(id=world.new_id(), type="TXT", name=top, content='"v=spf1 -all"', ttl=300),
    ]
    new_zone(world, "harbour-office.dev", ACCOUNT_ID).status = "pending"
    new_zone(world, "quayside-cafe.com", OTHER_ACCOUNT_ID)
    for name, account in (("harbour-office.com", ACCOUNT_ID), ("quayside-cafe.com", OTHER_ACCOUNT_ID)):
        world.registrations[name] = Registration(
            domain=name,
            account=account,
            years=1,
            state="succeeded",
            created_at=_BEGINNING,
            updated_at=_BEGINNING,
            expires_at=_BEGINNING.replace("2026", "2028"),
        )
    return world
