"""A database and a misbehaving token endpoint for the tests of renewing."""

from collections.abc import AsyncIterator

import pytest

from tests.db.ground import Ground, opened
from tests.support.servers import new_database
from tests.support.tokens import TokenService, token_service
from tests.vault.renewing import Dock, docked


@pytest.fixture(scope="session")
async def vault_ground(postgres_url: str, migrated_template: str) -> AsyncIterator[Ground]:
    """A migrated database for the folder, opened as the gateway opens it."""
    async with new_database(postgres_url, migrated_template) as address, opened(address) as made:
        yield made


@pytest.fixture
async def service() -> AsyncIterator[TokenService]:
    async with token_service() as made:
        yield made


@pytest.fixture
async def dock(vault_ground: Ground, service: TokenService) -> AsyncIterator[Dock]:
    async with docked(vault_ground, service.url) as made:
        yield made
