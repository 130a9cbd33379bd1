"""Putting a credential on a request. The only place in the catalogue where a secret is revealed."""

import base64
from collections.abc import Mapping
from urllib.parse import quote

from adapters._kit.manifest import Manifest
from domain.catalogue import AuthScheme, Credential
from domain.errors import ReconnectNeeded
from domain.secrets import Secret


def sign(manifest: Manifest, credential: Credential) -> dict[str, str]:
    """The headers that prove who is calling (RFC 6750 bearer, RFC 7617 basic)."""
    if credential.scheme is AuthScheme.OAUTH2:
        return bearer(_named(credential.secrets, "access_token", manifest))
    if manifest.api_key is None:
        raise ReconnectNeeded(f"{manifest.name} is no longer connected by API key. Reconnect the account.")
    names = [field.name for field in manifest.api_key.fields]
    if manifest.api_key.sign == "basic":
        return basic(*(_named(credential.secrets, name, manifest) for name in names[:2]))
    return bearer(_named(credential.secrets, names[0], manifest))


def check_path(manifest: Manifest, credential: Credential) -> str:
    """The path of the connection test, with what a person typed into the fields it names (never secret ones)."""
    path = manifest.check.path
    for name in manifest.check.fields:
        path = path.replace(f"{{{name}}}", quote(_named(credential.secrets, name, manifest).reveal(), safe=""))
    return path


def bearer(token: Secret) -> dict[str, str]:
    """RFC 6750, section 2.1."""
    return {"authorization": f"Bearer {token.reveal()}"}


def basic(user: Secret, password: Secret) -> dict[str, str]:
    """RFC 7617."""
    pair = f"{user.reveal()}:{password.reveal()}".encode()
    return {"authorization": "Basic " + base64.b64encode(pair).decode()}


def _named(secrets: Mapping[str, Secret], name: str, manifest: Manifest) -> Secret:
    try:
        return secrets[name]
    except KeyError:
        raise ReconnectNeeded(f"The {manifest.name} credential is incomplete. Reconnect the account.") from None
