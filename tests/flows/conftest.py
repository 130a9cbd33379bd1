"""Fixtures of the journeys."""

from collections.abc import AsyncIterator

import pytest

from tests.flows.ageing import Ageing, ageing
from tests.support.gateways import RunningGateway


@pytest.fixture
async def database(gateway: RunningGateway) -> AsyncIterator[Ageing]:
    """The gateway's database, for letting time pass."""
    assert gateway.settings.database_url is not None
    async with ageing(gateway.settings.database_url.reveal()) as found:
        yield found
