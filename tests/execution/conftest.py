from collections.abc import AsyncIterator

import pytest

from execution import pipeline, running
from tests.db.ground import Ground, opened
from tests.execution.stage import Stage
from tests.execution.worlds import MemoryWorld, PostgresWorld, World
from tests.support.servers import new_database


@pytest.fixture(scope="session")
async def execution_ground(postgres_url: str, migrated_template: str) -> AsyncIterator[Ground]:
    """A migrated database for the folder, opened as the gateway opens it."""
    async with new_database(postgres_url, migrated_template) as address, opened(address) as made:
        yield made


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest, execution_ground: Ground) -> World:
    """The twin and the real one, in turn."""
    return MemoryWorld() if request.param == "memory" else PostgresWorld(execution_ground)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that take no time."""
    monkeypatch.setattr(running, "_RECORD_WAITS_SECONDS", (0,) * 6)
    monkeypatch.setattr(running, "_PAUSES_SECONDS", (0, 0))
    monkeypatch.setattr(pipeline, "_POLL_SECONDS", (0,))
