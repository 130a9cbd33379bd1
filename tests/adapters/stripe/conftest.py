"""A shop for each test that asks for one."""

from collections.abc import AsyncIterator

import pytest

from tests.adapters.stripe.shop import Clock, open_shop
from tests.support.overheard import Connected


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def shop(clock: Clock) -> AsyncIterator[Connected]:
    async with open_shop(now=clock) as found:
        yield found
