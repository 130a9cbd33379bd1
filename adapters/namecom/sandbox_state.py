"""What the name.com sandbox remembers, what it knows when it is new, and what domains cost there.

Everything in it is invented: no price, no name and no account means anything outside. Money is in US cents.
"""

from dataclasses import dataclass
from decimal import Decimal

from pydantic import BaseModel, Field, JsonValue

from adapters._kit.sandbox import RateLimits
from adapters._kit.sandbox_registrar import Practice, belongs_to_others

USERNAME = "sandbox-test"
TOKEN = "namecom-sandbox-token"
OTHER_USERNAME = "quay-test"
OTHER_TOKEN = "namecom-sandbox-token-of-quay"
CREDIT_CENTS = 10_000
NAMESERVERS = [f"ns{number}.sandbox.invalid" for number in (1, 2, 3, 4)]

_BEGINNING = "2026-01-12T09:00:00Z"


@dataclass(frozen=True)
class Ending:
    """What one ending costs a year, in cents, and the fewest years it is sold for."""

    first: int
    later: int
    fewest_years: int = 1


ENDINGS = {
    "com": Ending(1299, 1799),
    "net": Ending(1499, 1899),
    "org": Ending(999, 1599),
    "dev": Ending(1599, 1999),
    "app": Ending(1699, 2099),
    "io": Ending(4499, 5999),
    "ai": Ending(7999, 7999, fewest_years=2),
}
#: Names as short as this are premium: dearer, and only sold when the price is confirmed.
PREMIUM_LENGTH = 4
_PREMIUM = Ending(34995, 34995)


class User(BaseModel):
    """An account with its API token; no token means that it was revoked."""

    username: str
    token: str | None
    credit: int


class Record(BaseModel):
    """A DNS record."""

    id: int
    type: str
    host: str
    answer: str
    ttl: int
    priority: int | None = None


class Domain(BaseModel):
    """A registered domain."""

    name: str
    owner: str
    created_at: str
    expires_at: str
    renewal: int
    nameservers: list[str] = Field(default_factory=lambda: list(NAMESERVERS))
    records: list[Record] = Field(default_factory=list)


class Replay(BaseModel):
    """The answer to a purchase, kept under its idempotency key. `until` is in epoch seconds."""

    fingerprint: str
    answer: dict[str, JsonValue]
    until: float


class World(BaseModel):
    """All of it. Replays are keyed by user name and idempotency key."""

    last_id: int = 1000
    users: dict[str, User] = Field(default_factory=dict)
    domains: dict[str, Domain] = Field(default_factory=dict)
    replays: dict[str, Replay] = Field(default_factory=dict)

    def new_id(self) -> int:
        """A number nothing else has."""
        self.last_id += 1
        return self.last_id


@dataclass
class Registry(Practice[World]):
    """The running sandbox, with its limits."""

    per_second: RateLimits
    per_hour: RateLimits

    def ending(self, name: str) -> Ending | None:
        """What a domain costs; None for endings that are not sold here."""
        label, _, ending = name.partition(".")
        if ending not in ENDINGS or not label:
            return None
        return _PREMIUM if len(label) <= PREMIUM_LENGTH else ENDINGS[ending]

    def is_free(self, name: str) -> bool:
        """Whether somebody may buy it."""
        return not belongs_to_others(name) and name not in self.world.domains


def price(ending: Ending, years: int) -> int:
    """Cents for so many years: the first at its own price, then the later ones."""
    return ending.first + ending.later * (years - 1)


def dollars(cents: int) -> float:
    """As the API writes amounts."""
    return float(Decimal(cents) / 100)


def seeded_world() -> World:
    """A new world: two accounts, of which the first has credit and a domain with records."""
    world = World()
    world.users[USERNAME] = User(username=USERNAME, token=TOKEN, credit=CREDIT_CENTS)
    world.users[OTHER_USERNAME] = User(username=OTHER_USERNAME, token=OTHER_TOKEN, credit=0)
    harbour = _seed_domain(world, "harbour-office.com", USERNAME)
    for kind, host, answer, priority in (
        ("A", "", "203.0.113.10", None),
        ("CNAME", "www", "harbour-office.com", None),
        ("MX", "", "mail.harbour-office.com", 10),
        ("TXT", "", "v=spf1 -all", None),
    ):
        harbour.records.append(
            Record(id=world.new_id(), type=kind, host=host, answer=answer, ttl=300, priority=priority)
        )
    _seed_domain(world, "harbour-office.dev", USERNAME)
    _seed_domain(world, "quayside-cafe.com", OTHER_USERNAME)
    return world


def _seed_domain(world: World, name: str, owner: str) -> Domain:
    domain = Domain(
        name=name,
        owner=owner,
        created_at=_BEGINNING,
        expires_at=_BEGINNING.replace("2026", "2028"),
        renewal=ENDINGS[name.rpartition(".")[2]].later,
    )
    world.domains[name] = domain
    return domain
