"""As whom Mandate is at a service: the application that a tenant brought, or the deployment's.

A connection stays with the application that made it, for a refresh token is good for that one only (RFC 6749, section
6). So the client id is a fact of the credential, and whoever sets another application ends nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from domain.applications import KeptApplication
from domain.catalogue import Catalogue, Credential, Integration, OAuthApplication
from domain.secrets import Secret
from vault.credentials import CredentialVault
from vault.ports import ApplicationRecords

#: The fact of a credential that names the tenant's own application; without it the deployment's made the connection.
MADE_BY: Final = "oauth_client"


class Applications:
    """Finds and opens. Methods raise CredentialUnreadable when a secret cannot be opened."""

    def __init__(self, catalogue: Catalogue, records: ApplicationRecords, vault: CredentialVault) -> None:
        self._catalogue = catalogue
        self._records = records
        self._vault = vault

    async def opened(
        self, tenant: str, integration: Integration, kept: KeptApplication | None
    ) -> OAuthApplication | None:
        """The tenant's own if there is one, else the deployment's; None when there is neither."""
        if kept is None or not integration.takes_applications:
            return integration.oauth
        secret = await self._vault.open_client_secret(tenant, kept)
        return integration.oauth_as(kept.client_id, secret)

    async def of(self, tenant: str, integration: Integration, credential: Credential) -> OAuthApplication | None:
        """The one that made a connection. One round trip when that was a tenant's own. Raises DependencyDown."""
        client_id = credential.facts.get(MADE_BY)
        if client_id is None:
            return integration.oauth
        kept = await self._records.application(tenant, integration.slug, client_id)
        return await self.opened(tenant, integration, kept) if kept else None


def made_by(application: OAuthApplication, credential: Credential) -> Credential:
    """The credential, knowing which application made it."""
    if not application.is_tenant_owned:
        return credential
    facts: Mapping[str, str] = {**credential.facts, MADE_BY: application.client_id}
    return replace(credential, facts=facts)


def ways_of(integration: Integration) -> OAuthApplication | None:
    """How the service's OAuth goes, whoever we are there; None when it has none."""
    return integration.oauth or integration.oauth_as("", Secret(""))
