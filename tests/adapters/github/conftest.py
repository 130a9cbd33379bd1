from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.github.sandbox import sandbox
from adapters.github.sandbox_state import TOKEN_REPO
from tests.support.descriptions import Description
from tests.support.trials import Trial, trial

DESCRIPTION = Description.read(Path(__file__).with_name("description.json"))


@pytest.fixture
async def github() -> AsyncIterator[Trial]:
    """Lin Harbour's sandbox account. Whatever a test sends is held against GitHub's own description."""
    async with trial("github", sandbox(), {"token": TOKEN_REPO}) as github:
        yield github
        for request in github.requests:
            assert DESCRIPTION.mistakes(request, github.base_url) == []
