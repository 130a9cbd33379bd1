"""Credentials in and out of their envelopes."""

import json
from datetime import datetime
from uuid import UUID

from domain.applications import KeptApplication
from domain.catalogue import AuthScheme, Credential
from domain.errors import CredentialUnreadable
from domain.sealed import Sealed, WrappedKey
from domain.secrets import Secret
from vault.envelope import Envelope

_CREDENTIAL = "credential"
_VERIFIER = "pkce-verifier"
_WEBHOOK = "webhook-secret"
_CLIENT = "oauth-client"


class CredentialVault:
    """Seals and opens a tenant's secrets. What it returns is never stored, logged or sent to a caller."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    async def new_key(self, tenant: str) -> WrappedKey:
        """A data key for a tenant that has none."""
        return await self._envelope.new_key(tenant)

    async def seal_credential(
        self, key: WrappedKey, tenant: str, connection_id: UUID, version: int, credential: Credential
    ) -> Sealed:
        """For this connection, as this version, and nowhere else."""
        plain = json.dumps(
            {
                "scheme": credential.scheme.value,
                "secrets": {name: secret.reveal() for name, secret in credential.secrets.items()},
                "facts": dict(credential.facts),
                **({"expires_at": credential.expires_at.isoformat()} if credential.expires_at else {}),
            }
        ).encode()
        return await self._envelope.seal(
            key, plain, purpose=_CREDENTIAL, tenant=tenant, subject=connection_id, version=version
        )

    async def open_credential(self, tenant: str, connection_id: UUID, sealed: Sealed) -> Credential:
        """Raises CredentialUnreadable."""
        plain = await self._envelope.open(sealed, purpose=_CREDENTIAL, tenant=tenant, subject=connection_id)
        try:
            data = json.loads(plain)
            secrets = {str(name): Secret(str(text)) for name, text in data["secrets"].items()}
            ends = data.get("expires_at")
            expires_at = datetime.fromisoformat(ends) if ends else None
            return Credential(AuthScheme(data["scheme"]), secrets, dict(data["facts"]), expires_at)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CredentialUnreadable("A sealed credential is not in a form this version reads.") from None

    async def reseal_credential(self, key: WrappedKey, tenant: str, connection_id: UUID, before: Sealed) -> Sealed:
        """The same version of the same credential under another data key. Raises CredentialUnreadable."""
        plain = await self._envelope.open(before, purpose=_CREDENTIAL, tenant=tenant, subject=connection_id)
        return await self._envelope.seal(
            key, plain, purpose=_CREDENTIAL, tenant=tenant, subject=connection_id, version=before.version
        )

    async def seal_client_secret(self, key: WrappedKey, tenant: str, id: UUID, secret: Secret) -> Sealed:
        """The secret of a tenant's own OAuth application."""
        plain = secret.reveal().encode()
        return await self._envelope.seal(key, plain, purpose=_CLIENT, tenant=tenant, subject=id, version=1)

    async def open_client_secret(self, tenant: str, kept: KeptApplication) -> Secret:
        """Raises CredentialUnreadable."""
        plain = await self._envelope.open(kept.secret, purpose=_CLIENT, tenant=tenant, subject=kept.id)
        return Secret(plain.decode())

    async def reseal_client_secret(self, key: WrappedKey, tenant: str, kept: KeptApplication) -> Sealed:
        """The same secret under another data key. Raises CredentialUnreadable."""
        return await self.seal_client_secret(key, tenant, kept.id, await self.open_client_secret(tenant, kept))

    async def seal_webhook_secret(
        self, key: WrappedKey, tenant: str, webhook_id: UUID, version: int, secret: Secret
    ) -> Sealed:
        """What signs the messages of one webhook."""
        plain = secret.reveal().encode()
        return await self._envelope.seal(
            key, plain, purpose=_WEBHOOK, tenant=tenant, subject=webhook_id, version=version
        )

    async def open_webhook_secret(self, tenant: str, webhook_id: UUID, sealed: Sealed) -> Secret:
        """Raises CredentialUnreadable."""
        plain = await self._envelope.open(sealed, purpose=_WEBHOOK, tenant=tenant, subject=webhook_id)
        return Secret(plain.decode())

    async def reseal_webhook_secret(self, key: WrappedKey, tenant: str, webhook_id: UUID, before: Sealed) -> Sealed:
        """The same version of the same secret under another data key. Raises CredentialUnreadable."""
        secret = await self.open_webhook_secret(tenant, webhook_id, before)
        return await self.seal_webhook_secret(key, tenant, webhook_id, before.version, secret)

    async def seal_verifier(self, key: WrappedKey, tenant: str, session_id: UUID, verifier: Secret) -> Sealed:
        """A PKCE verifier while a person is away at the service."""
        plain = verifier.reveal().encode()
        return await self._envelope.seal(key, plain, purpose=_VERIFIER, tenant=tenant, subject=session_id, version=1)

    async def open_verifier(self, tenant: str, session_id: UUID, sealed: Sealed) -> Secret:
        """Raises CredentialUnreadable."""
        plain = await self._envelope.open(sealed, purpose=_VERIFIER, tenant=tenant, subject=session_id)
        return Secret(plain.decode())
