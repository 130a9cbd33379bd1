"""What the DNSimple sandbox remembers, what it knows when it is new, and what domains cost there.

Everything in it is invented: no price, no name and no account means anything outside. Money is in US cents.
"""

from dataclasses import dataclass
from decimal import Decimal

from pydantic import BaseModel, Field

from adapters._kit.sandbox import RateLimits
from adapters._kit.sandbox_registrar import Practice, belongs_to_others

ACCOUNT_ID = 1010
OTHER_ACCOUNT_ID = 2020
TOKEN = "dnsimple_a_sandbox_harbour"
#: Of the same account, and may only read.
READING_TOKEN = "dnsimple_a_sandbox_harbour_reading"
#: Of an account with unpaid invoices.
OTHER_TOKEN = "dnsimple_a_sandbox_quay"
#: Of a person who may use both accounts.
USER_TOKEN = "dnsimple_u_sandbox_lin"
EMAIL = "office@harbour.example"
NAMESERVERS = [f"ns{number}.sandbox.invalid" for number in (1, 2, 3, 4)]
#: How long a registry takes where it does not register at once.
REGISTRY_SECONDS = 20

_BEGINNING = "2026-01-12T09:00:00Z"


@dataclass(frozen=True)
class Ending:
    """What one ending costs a year, in cents, its only term, and whether its registry takes its time."""

    first: int
    later: int
    years: int = 1
    is_slow: bool = False


ENDINGS = {
    "com": Ending(1450, 1650),
    "net": Ending(1600, 1800),
    "org": Ending(1500, 1700),
    "dev": Ending(1700, 1900),
    "app": Ending(1800, 2000),
    "io": Ending(4900, 5900, is_slow=True),
    "ai": Ending(8900, 8900, years=2),
}
#: Names as short as this are premium: dearer, and only sold when the price is confirmed.
PREMIUM_LENGTH = 4
_PREMIUM = Ending(39900, 39900)
#: Names that begin like this come to grief at a slow registry.
FAILING = "fail-"


class Token(BaseModel):
    """What a token may do. `account` is None for a person's."""

    account: int | None
    may_write: bool = True


class Account(BaseModel):
    """An account."""

    id: int
    email: str
    owes: bool = False


class Contact(BaseModel):
    """Somebody domains can be registered for."""

    id: int
    account: int
    label: str
    first_name: str
    last_name: str
    organization: str


class Record(BaseModel):
    """A DNS record."""

    id: int
    type: str
    name: str
    content: str
    ttl: int
    priority: int | None = None
    system: bool = False
    parent: int | None = None
    at: str = _BEGINNING


class Domain(BaseModel):
    """A domain of an account, with its zone. `expires_at` is None while it is only hosted."""

    id: int
    name: str
    account: int
    contact: int | None = None
    created_at: str
    expires_at: str | None = None
    nameservers: list[str] = Field(default_factory=lambda: list(NAMESERVERS))
    records: list[Record] = Field(default_factory=list)


class Registration(BaseModel):
    """A purchase on its way; `due` is in epoch seconds."""

    id: int
    domain: str
    domain_id: int
    account: int
    contact: int
    years: int
    state: str
    due: float
    created_at: str
    updated_at: str


class World(BaseModel):
    """All of it."""

    last_id: int = 1000
    tokens: dict[str, Token] = Field(default_factory=dict)
    accounts: dict[int, Account] = Field(default_factory=dict)
    contacts: dict[int, Contact] = Field(default_factory=dict)
    domains: dict[str, Domain] = Field(default_factory=dict)
    registrations: dict[int, Registration] = Field(default_factory=dict)

    def new_id(self) -> int:
        """A number nothing else has."""
        self.last_id += 1
        return self.last_id


@dataclass
class Registry(Practice[World]):
    """The running sandbox, with its limits."""

    per_hour: RateLimits

    def settle(self) -> None:
        """Let the slow registries finish what is due."""
        for each in self.world.registrations.values():
            if each.state != "registering" or each.due > self.now():
                continue
            each.state = "failed" if each.domain.startswith(FAILING) else "registered"
            each.updated_at = self.stamp()
            if each.state == "failed":
                del self.world.domains[each.domain]
            else:
                self.world.domains[each.domain].expires_at = self.stamp(each.years)
            self.file.save(self.world)

    def is_free(self, name: str) -> bool:
        """Whether somebody may buy it."""
        return not belongs_to_others(name) and name not in self.world.domains


def ending(name: str) -> Ending | None:
    """What a domain costs; None for endings that are not sold here."""
    label, _, tld = name.partition(".")
    if tld not in ENDINGS or not label:
        return None
    return _PREMIUM if is_premium(name) else ENDINGS[tld]


def is_premium(name: str) -> bool:
    """Whether its price must be confirmed."""
    return len(name.partition(".")[0]) <= PREMIUM_LENGTH


def dollars(cents: int) -> float:
    """As the API writes amounts."""
    return float(Decimal(cents) / 100)


def new_zone(world: World) -> list[Record]:
    """The records that every zone begins with, and keeps."""
    told = f"{NAMESERVERS[0]} admin.sandbox.invalid 1768208400 86400 7200 604800 300"
    first = Record(id=world.new_id(), type="SOA", name="", content=told, ttl=3600, system=True)
    others = [
        Record(id=world.new_id(), type="NS", name="", content=server, ttl=3600, system=True) for server in NAMESERVERS
    ]
    return [first, *others]


def seeded_world() -> World:
    """A new world: two accounts, of which the first has contacts and domains, one of them with records."""
    world = World()
    world.accounts = {
        ACCOUNT_ID: Account(id=ACCOUNT_ID, email=EMAIL),
        OTHER_ACCOUNT_ID: Account(id=OTHER_ACCOUNT_ID, email="hello@quay.example", owes=True),
    }
    world.tokens = {
        TOKEN: Token(account=ACCOUNT_ID),
        READING_TOKEN: Token(account=ACCOUNT_ID, may_write=False),
        OTHER_TOKEN: Token(account=OTHER_ACCOUNT_ID),
        USER_TOKEN: Token(account=None),
    }
    for account, first, last, company in (
        (ACCOUNT_ID, "Lin", "Harbour", "Harbour Office"),
        (ACCOUNT_ID, "Ada", "Pier", ""),
        (OTHER_ACCOUNT_ID, "Noor", "Quay", "Quayside Cafe"),
    ):
        one = Contact(
            id=world.new_id(), account=account, label="", first_name=first, last_name=last, organization=company
        )
        world.contacts[one.id] = one
    harbour = _seed_domain(world, "harbour-office.com", ACCOUNT_ID, expires="2028-01-12T09:00:00Z")
    for kind, name, content, priority in (
        ("A", "", "203.0.113.10", None),
        ("CNAME", "www", "harbour-office.com", None),
        ("MX", "", "mail.harbour-office.com", 10),
        ("TXT", "", '"v=spf1 -all"', None),
    ):
        harbour.records.append(
            Record(id=world.new_id(), type=kind, name=name, content=content, ttl=300, priority=priority)
        )
    _seed_domain(world, "harbour-office.dev", ACCOUNT_ID, expires=None)
    _seed_domain(world, "quayside-cafe.com", OTHER_ACCOUNT_ID, expires="2028-01-12T09:00:00Z")
    return world


def _seed_domain(world: World, name: str, account: int, *, expires: str | None) -> Domain:
    owner = next(each.id for each in world.contacts.values() if each.account == account)
    domain = Domain(
        id=world.new_id(),
        name=name,
        account=account,
        contact=owner if expires else None,
        created_at=_BEGINNING,
        expires_at=expires,
        records=new_zone(world),
    )
    world.domains[name] = domain
    return domain
