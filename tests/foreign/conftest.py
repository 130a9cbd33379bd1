"""A gateway that takes emulate's GitHub and Slack for the real ones."""

from collections.abc import AsyncIterator

import pytest

from domain.json import Json
from tests.support.emulate import GITHUB, SLACK, Emulate, OAuthApp
from tests.support.gateways import RunningGateway, running_gateway
from tests.support.servers import new_database


@pytest.fixture(scope="module")
async def emulate_gateway(
    emulate: Emulate, postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningGateway]:
    """Set up as an operator would: addresses and OAuth applications in the file, the loopback network allowed."""
    github = f"{emulate.github}/login/oauth"
    file: Json = {
        "integrations": {
            "github": _service(GITHUB, emulate.github, f"{github}/authorize", f"{github}/access_token"),
            "slack": _service(
                SLACK,
                f"{emulate.slack}/api",
                f"{emulate.slack}/oauth/v2/authorize",
                f"{emulate.slack}/api/oauth.v2.access",
            ),
        },
        "egress": {"allow": ["127.0.0.0/8"]},
    }
    async with (
        new_database(postgres_url, migrated_template) as address,
        running_gateway(address, tmp_path_factory.mktemp("gateway"), file=file) as running,
    ):
        emulate.allow_redirect(f"{running.url}/oauth/callback")
        yield running


def _service(app: OAuthApp, base_url: str, authorize_url: str, token_url: str) -> Json:
    return {
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "base_url": base_url,
        "authorize_url": authorize_url,
        "token_url": token_url,
        "sandbox": False,
    }
