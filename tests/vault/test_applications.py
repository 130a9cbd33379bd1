"""As whom we are at a service: the tenant's own application or the deployment's, and whose secret opens where."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from domain.applications import KeptApplication
from domain.catalogue import AuthScheme, Credential, OAuthApplication
from domain.errors import CredentialUnreadable
from domain.ids import new_id
from domain.secrets import Secret
from tests.support.nouns import SampleCatalogue, SampleIntegration
from vault.applications import MADE_BY, Applications, made_by, ways_of
from vault.credentials import CredentialVault
from vault.envelope import Envelope
from vault.master_keys import read_master_keys

TENANT = "acme"
OURS = OAuthApplication(
    authorize_url="https://harbour.example/authorize",
    token_url="https://harbour.example/token",
    revoke_url=None,
    client_id="ours",
    client_secret=Secret("our-secret"),
    client_auth="client_secret_post",
    scope_separator=" ",
    uses_pkce=True,
    authorize_parameters={},
)
VAULT = CredentialVault(Envelope(read_master_keys(Secret("one:" + "A" * 43 + "="))))


@dataclass
class Kept:
    """Tenants' applications, by client id."""

    known: dict[str, KeptApplication] = field(default_factory=dict)

    async def application(self, tenant: str, integration: str, client_id: str) -> KeptApplication | None:
        assert (tenant, integration) == (TENANT, "harbour")
        return self.known.get(client_id)


async def kept(client_id: str, text: str = "their-canary", tenant: str = TENANT) -> KeptApplication:
    key, id = await VAULT.new_key(tenant), new_id()
    sealed = await VAULT.seal_client_secret(key, tenant, id, Secret(text))
    return KeptApplication(id, "harbour", client_id, sealed, datetime.now(UTC))


def applications(*known: KeptApplication) -> Applications:
    return Applications(SampleCatalogue(), Kept({each.client_id: each for each in known}), VAULT)


def harbour(ours: OAuthApplication | None = OURS) -> SampleIntegration:
    return SampleIntegration(oauth=ours)


def credential(**facts: str) -> Credential:
    return Credential(AuthScheme.OAUTH2, {"access_token": Secret("at")}, facts)


async def test_the_tenants_own_goes_before_the_deployments() -> None:
    own = await applications().opened(TENANT, harbour(), await kept("theirs"))
    assert own is not None
    assert (own.client_id, own.client_secret.reveal(), own.is_tenant_owned) == ("theirs", "their-canary", True)
    assert await applications().opened(TENANT, harbour(), None) is OURS
    assert await applications().opened(TENANT, harbour(None), None) is None


async def test_where_a_service_takes_none_the_deployments_is_used() -> None:
    closed = replace(harbour(), takes_applications=False)
    assert await applications().opened(TENANT, closed, await kept("theirs")) is OURS


async def test_a_connection_stays_with_the_application_that_made_it() -> None:
    both = applications(await kept("earlier", "first"), await kept("later", "second"))
    for client_id, secret in (("earlier", "first"), ("later", "second")):
        found = await both.of(TENANT, harbour(), credential(**{MADE_BY: client_id}))
        assert found is not None
        assert found.client_secret.reveal() == secret
    assert await both.of(TENANT, harbour(), credential()) is OURS
    assert await both.of(TENANT, harbour(), credential(**{MADE_BY: "gone"})) is None


async def test_which_application_made_it_is_a_fact_of_the_credential() -> None:
    own = replace(OURS, client_id="theirs", is_tenant_owned=True)
    assert made_by(own, credential(team="t")).facts == {"team": "t", MADE_BY: "theirs"}
    assert made_by(OURS, credential(team="t")).facts == {"team": "t"}


async def test_a_secret_opens_for_its_tenant_and_its_row_only() -> None:
    mine = await kept("theirs")
    with pytest.raises(CredentialUnreadable):
        await VAULT.open_client_secret("other", mine)
    with pytest.raises(CredentialUnreadable):
        await VAULT.open_client_secret(TENANT, replace(mine, id=new_id()))
    assert "canary" not in repr(mine)


async def test_under_another_data_key_it_is_the_same_secret() -> None:
    before = await kept("theirs")
    after = replace(before, secret=await VAULT.reseal_client_secret(await VAULT.new_key(TENANT), TENANT, before))
    assert after.secret.key != before.secret.key
    assert (await VAULT.open_client_secret(TENANT, after)).reveal() == "their-canary"


def test_how_a_services_oauth_goes_is_known_without_an_application() -> None:
    assert ways_of(harbour()) is OURS
    assert ways_of(harbour(None)) is None
