from collections.abc import AsyncIterator

import pytest

from adapters.microsoft365.sandbox import sandbox
from tests.adapters.microsoft365.office import Office, office


@pytest.fixture
async def ada() -> AsyncIterator[Office]:
    """Ada's account in a sandbox of this test's own."""
    async with office(sandbox()) as connected:
        yield connected
