"""Putting a credential on a request. The only place in the catalogue where a secret is revealed."""

import base64
from collections.abc import Mapping
from urllib.parse import quote

from adapters._kit.manifest import Manifest
from domain.catalogue import Account, AuthScheme, Credential
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
    first = _named(credential.secrets, names[0], manifest)
    return {"authorization": first.reveal()} if manifest.api_key.sign == "plain" else bearer(first)


def others_of(manifest: Manifest, credential: Credential) -> dict[str, dict[str, str]]:
    """The headers of the connection's further tokens, by the manifest's name for each; those that it has."""
    secrets = credential.secrets
    return {name: bearer(secrets[each.secret]) for name, each in manifest.tokens.items() if each.secret in secrets}


def facts_of(manifest: Manifest, credential: Credential) -> dict[str, str]:
    """What is known about the connection: what a person typed into fields that are not secret, and what OAuth told."""
    form = manifest.api_key if credential.scheme is AuthScheme.API_KEY else None
    plain = [field.name for field in form.fields if not field.secret] if form else []
    typed = {name: credential.secrets[name].reveal() for name in plain if name in credential.secrets}
    return {**typed, **credential.facts}


def check_path(manifest: Manifest, credential: Credential) -> str:
    """The path of the connection test, with what a person typed into the fields it names (never secret ones)."""
    path = manifest.check.path
    for name in manifest.check.fields:
        path = path.replace(f"{{{name}}}", quote(_named(credential.secrets, name, manifest).reveal(), safe=""))
    return path


def fill(path: str, facts: Mapping[str, str]) -> str:
    """The path with facts of the connection in their places, escaped."""
    for name, value in facts.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


def sign_for(manifest: Manifest, header: str, secret: Secret, account: Account) -> dict[str, str]:
    """Signed as our application, in the name of an account that allowed it.

    Raises ReconnectNeeded when the account was connected in another mode than our application's secret is for.
    """
    signed = bearer(secret)
    id, _, mode = account.id.partition(":")
    if mode != mode_of(manifest, signed):
        message = f"Mandate's application at {manifest.name} is in another mode than this account was connected in."
        raise ReconnectNeeded(f"{message} Reconnect the account.")
    return {**signed, header: id}


def mode_of(manifest: Manifest, signed: Mapping[str, str]) -> str:
    """The word of `[check.modes]` for the token of these headers; empty where there is none."""
    token = signed.get("authorization", "").partition(" ")[2]
    modes = manifest.check.modes.items()
    return next((word for beginning, word in modes if token.startswith(beginning)), "")


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
