"""Credentials in and out of their envelopes."""

import json
from uuid import UUID

from domain.catalogue import AuthScheme, Credential
from domain.errors import CredentialUnreadable
from domain.sealed import Sealed, WrappedKey
from domain.secrets import Secret
from vault.envelope import Envelope

_CREDENTIAL = "credential"
_VERIFIER = "pkce-verifier"


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
            return Credential(AuthScheme(data["scheme"]), secrets, dict(data["facts"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CredentialUnreadable("A sealed credential is not in a form this version reads.") from None

    async def seal_verifier(self, key: WrappedKey, tenant: str, session_id: UUID, verifier: Secret) -> Sealed:
        """A PKCE verifier while a person is away at the service."""
        plain = verifier.reveal().encode()
        return await self._envelope.seal(key, plain, purpose=_VERIFIER, tenant=tenant, subject=session_id, version=1)

    async def open_verifier(self, tenant: str, session_id: UUID, sealed: Sealed) -> Secret:
        """Raises CredentialUnreadable."""
        plain = await self._envelope.open(sealed, purpose=_VERIFIER, tenant=tenant, subject=session_id)
        return Secret(plain.decode())
