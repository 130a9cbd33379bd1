from collections.abc import AsyncIterator

import pytest

from tests.adapters.vercel.shop import Shop, open_shop
from tests.support.overheard import Connected


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    """Connected as the team Harbour Works. Whatever is said is held against Vercel's own description."""
    async with open_shop() as found:
        yield found


@pytest.fixture
def front(shop: Shop) -> Connected:
    """The integration before it."""
    return shop.front
