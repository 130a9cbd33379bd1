"""What the Stripe sandbox remembers, and what it knows when it is new.

Everybody in it is invented, and so is the money. The keys below are printed here on purpose: they open nothing but a
sandbox. Objects are kept as the API shows them; amounts are whole numbers of the currency's smallest unit.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, Field, JsonValue

from adapters._kit.sandbox import RateLimits, SandboxControl, StateFile
from adapters._kit.sandbox_oauth import OAuthClient, OAuthServer, OAuthState

Shape = dict[str, JsonValue]

CLIENT_ID = "ca_sandbox_mandate"
#: Of the platform, which is our application: it signs calls and is the client secret.
PLATFORM_KEY = "sk_test_sandbox_platform"
PLATFORM = "acct_sandbox_platform"

HARBOUR = "acct_sandbox_harbour"
QUAY = "acct_sandbox_quay"
#: A restricted key that may do all that the actions do.
KEY = "rk_test_sandbox_harbour"
#: The same account's other books.
LIVE_KEY = "rk_live_sandbox_harbour"
READING_KEY = "rk_test_sandbox_harbour_reading"
EXPIRED_KEY = "rk_test_sandbox_harbour_expired"
#: May do everything but tell whose it is.
NAMELESS_KEY = "rk_test_sandbox_harbour_nameless"
QUAY_KEY = "sk_test_sandbox_quay"


class Key(BaseModel):
    """A secret or restricted key."""

    account: str
    live: bool = False
    may_write: bool = True
    may_tell_account: bool = True
    expired: bool = False


class Business(BaseModel):
    """An account."""

    id: str
    name: str
    email: str
    country: str
    currency: str


class Remembered(BaseModel):
    """The first answer to an idempotency key, and what it was asked with."""

    asked: str
    status: int
    body: Shape
    until: float


class Book(BaseModel):
    """One account's objects in one mode: by kind, then by id, oldest first."""

    account: str
    live: bool
    kept: dict[str, dict[str, Shape]] = Field(default_factory=dict)
    remembered: dict[str, Remembered] = Field(default_factory=dict)

    def all(self, kind: str) -> dict[str, Shape]:
        """The objects of a kind."""
        return self.kept.setdefault(kind, {})

    def put(self, shape: Shape) -> Shape:
        """Keep an object."""
        self.all(str(shape["object"]))[str(shape["id"])] = shape
        return shape


class World(BaseModel):
    """All of it. Books are named `account test` and `account live`; `granted` by `client account`."""

    last_id: int = 1000
    businesses: dict[str, Business] = Field(default_factory=dict)
    keys: dict[str, Key] = Field(default_factory=dict)
    books: dict[str, Book] = Field(default_factory=dict)
    granted: dict[str, list[str]] = Field(default_factory=dict)
    oauth: OAuthState = Field(default_factory=OAuthState)

    def book(self, account: str, *, live: bool) -> Book:
        """One account's books in one mode; empty ones where there were none."""
        name = f"{account} {'live' if live else 'test'}"
        if name not in self.books:
            self.books[name] = Book(account=account, live=live)
        return self.books[name]

    def new_id(self, prefix: str) -> str:
        """An identifier nothing else has."""
        self.last_id += 1
        return f"{prefix}_{hashlib.sha256(f'sandbox {self.last_id}'.encode()).hexdigest()[:24]}"


@dataclass
class Hub:
    """The running sandbox. `now` is in epoch seconds."""

    world: World
    file: StateFile[World]
    now: Callable[[], float]
    per_second: RateLimits
    control: SandboxControl
    oauth: OAuthServer

    def performed(self, route: str) -> None:
        """A write has happened: count it and keep it."""
        self.control.effects[route] += 1
        self.file.save(self.world)


def number(shape: Shape, name: str) -> int:
    """A whole number of an object; zero where there is none."""
    value = shape.get(name)
    return value if isinstance(value, int) else 0


def new_world(clients: list[OAuthClient] | None) -> World:
    """Accounts and keys, without any objects. See `sandbox_seed` for those."""
    world = World()
    world.oauth.clients = clients or [
        OAuthClient(client_id=CLIENT_ID, client_secret=PLATFORM_KEY, name="Mandate (sandbox)", any_loopback=True)
    ]
    world.businesses = {
        each.id: each
        for each in (
            Business(id=HARBOUR, name="Harbour Office", email="till@harbour.example", country="DE", currency="eur"),
            Business(id=QUAY, name="Quayside Cafe", email="hello@quay.example", country="JP", currency="jpy"),
            Business(id=PLATFORM, name="Mandate (sandbox)", email="us@mandate.example", country="DE", currency="eur"),
        )
    }
    world.keys = {
        KEY: Key(account=HARBOUR),
        LIVE_KEY: Key(account=HARBOUR, live=True),
        READING_KEY: Key(account=HARBOUR, may_write=False),
        EXPIRED_KEY: Key(account=HARBOUR, expired=True),
        NAMELESS_KEY: Key(account=HARBOUR, may_tell_account=False),
        QUAY_KEY: Key(account=QUAY),
    }
    return world
