from collections.abc import AsyncIterator

import pytest

from tests.adapters.linear.shop import practice
from tests.support.trials import Trial


@pytest.fixture
async def linear() -> AsyncIterator[Trial]:
    """Lin Harbour's workspace."""
    async with practice() as found:
        yield found
