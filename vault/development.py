"""The issuer of development mode: signs callers' tokens with a key of its own, so that nobody needs an identity
provider to try Mandate.

Whoever can read its key file can be anybody; that is why it must be readable by its owner only, and why its
tokens count only when they come from the same machine.
"""

import time
from collections.abc import Iterable
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from domain.callers import Role
from domain.errors import InvalidInput, Misconfigured
from vault.jwks import FixedKeys
from vault.master_keys import write_private
from vault.tokens import LONGEST_SUBJECT, LONGEST_TENANT, SIGNATURES, TrustedIssuer, is_fit

ISSUER: Final = "mandate-development"
AUDIENCE: Final = "mandate"
LIFETIME: Final = timedelta(hours=12)
_TENANT_CLAIM: Final = "tenant"
_ROLES_CLAIM: Final = "roles"


class DevelopmentIssuer:
    """Issues tokens for people of any tenant and role. Its Ed25519 key is made when first used, mode 0600."""

    def __init__(self, key_file: Path) -> None:
        self._file = key_file

    def issue(self, tenant: str, subject: str, roles: Iterable[Role], lifetime: timedelta = LIFETIME) -> str:
        """A signed access token. Raises InvalidInput for a name no token may carry, Misconfigured for the key file."""
        _check("tenant", tenant, LONGEST_TENANT)
        _check("subject", subject, LONGEST_SUBJECT)
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            _TENANT_CLAIM: tenant,
            _ROLES_CLAIM: sorted(role.value for role in roles),
            "iat": now,
            "exp": now + int(lifetime.total_seconds()),
        }
        header = {"alg": "EdDSA", "typ": "at+jwt", "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=["EdDSA"], registry=SIGNATURES)

    def trusted(self) -> TrustedIssuer:
        """How its tokens are read. Raises Misconfigured."""
        keys = FixedKeys({"keys": [self._key.as_dict(private=False)]})
        return TrustedIssuer(ISSUER, AUDIENCE, _TENANT_CLAIM, _ROLES_CLAIM, keys, is_development=True)

    @cached_property
    def _key(self) -> OKPKey:
        if not self._file.exists():
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_private(self._file, OKPKey.generate_key("Ed25519").as_pem(private=True).decode())
        if self._file.stat().st_mode & 0o077:
            raise Misconfigured(
                f"{self._file} holds the key of development tokens and others can read it. Run: chmod 600 {self._file}"
            )
        key = _read(self._file)
        if key is None:
            raise Misconfigured(f"{self._file} does not hold a private key. Remove it; a new one will be made.")
        return key


def _read(file: Path) -> OKPKey | None:
    try:
        key = OKPKey.import_key(file.read_bytes())
    except (JoseError, ValueError, TypeError):
        return None
    if not key.is_private or key.curve_name != "Ed25519":
        return None
    key.ensure_kid()
    return key


def _check(what: str, name: str, longest: int) -> None:
    if not is_fit(name, longest):
        raise InvalidInput(
            f"The {what} must be 1 to {longest} printable characters, without blanks at the ends.", [what]
        )
