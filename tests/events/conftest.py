"""A stage for each kind of bus."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest

from db.listening import Listener
from db.migrating import migrate
from events.memory import MemoryBus, MemoryExchange
from events.ports import Bus
from events.postgres import PostgresBus
from events.redis import RedisBus
from tests.events.stage import Stage
from tests.support.servers import new_database


@pytest.fixture(scope="session")
async def database_template(postgres_url: str) -> AsyncIterator[str]:
    """Migrated once; every test's database is a copy."""
    async with new_database(postgres_url) as address:
        await migrate(address)
        yield urlsplit(address).path.removeprefix("/")


@pytest.fixture(params=["memory", "redis", "postgres"])
def new_bus(request: pytest.FixtureRequest, fresh_database: str) -> Callable[[], Bus]:
    """Makes buses that hear each other."""
    if request.param == "memory":
        exchange = MemoryExchange()
        return lambda: MemoryBus(exchange)
    if request.param == "redis":
        address: str = request.getfixturevalue("redis_url")
        return lambda: RedisBus(address)
    return lambda: PostgresBus(lambda: Listener(fresh_database))


@pytest.fixture
async def stage(fresh_database: str, new_bus: Callable[[], Bus]) -> AsyncIterator[Stage]:
    """Processes that share a database and a bus of each kind in turn."""
    async with AsyncExitStack() as closing:
        yield Stage(fresh_database, new_bus, closing)
