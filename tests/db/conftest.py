"""The ground: one migrated database for the folder's tests, who stay apart by tenants of their own."""

from collections.abc import AsyncIterator

import pytest

from tests.db.ground import Ground, Party, add_party, opened
from tests.support.servers import new_database


@pytest.fixture(scope="session")
async def ground(postgres_url: str, migrated_template: str) -> AsyncIterator[Ground]:
    """Opened as the gateway opens it."""
    async with new_database(postgres_url, migrated_template) as address, opened(address) as made:
        yield made


@pytest.fixture
async def party(ground: Ground) -> Party:
    """A tenant of the test's own, with somebody who can act."""
    return await add_party(ground)
