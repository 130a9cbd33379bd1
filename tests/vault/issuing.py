"""An issuer of tokens for tests: real keys, and tokens that are as right or as wrong as a test wants them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache

from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from vault.jwks import FixedKeys, KeySource
from vault.tokens import SIGNATURES, TrustedIssuer

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ISSUER = "https://login.example"
AUDIENCE = "https://mandate.example"


@cache
def key_of(algorithm: str) -> Key:
    """One key for each algorithm, made once per run, named after it."""
    match algorithm:
        case "RS256":
            return RSAKey.generate_key(2048, {"kid": "RS256"})
        case "ES256":
            return ECKey.generate_key("P-256", {"kid": "ES256"})
        case _:
            return OKPKey.generate_key("Ed25519", {"kid": "EdDSA"})


def published() -> dict[str, object]:
    return {"keys": [key_of(name).as_dict(private=False) for name in ("RS256", "ES256", "EdDSA")]}


def trusted(keys: KeySource | None = None, roles_claim: str = "roles") -> TrustedIssuer:
    return TrustedIssuer(ISSUER, AUDIENCE, "tenant", roles_claim, keys or FixedKeys(published()))


def claims(**changes: object) -> dict[str, object]:
    """A good token's claims; a change to None leaves the claim out."""
    good: dict[str, object] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "tenant": "acme",
        "roles": ["owner"],
        "iat": int(NOW.timestamp()) - 60,
        "exp": int(NOW.timestamp()) + 600,
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def signed(
    payload: Mapping[str, object] | bytes,
    algorithm: str = "ES256",
    *,
    key: Key | None = None,
    **header: object,
) -> str:
    """A JWT. Header members given as None are left out."""
    members = {"alg": algorithm, "typ": "at+jwt", "kid": algorithm} | header
    head = {name: value for name, value in members.items() if value is not None}
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    registry: JWSRegistry = SIGNATURES
    return jws.serialize_compact(head, body, key or key_of(algorithm), algorithms=[algorithm], registry=registry)


def assembled(header: object, payload: Mapping[str, object] | bytes, signature: bytes = b"") -> str:
    """What a forger puts together without a key."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return ".".join(_encoded(part) for part in (json.dumps(header).encode(), body, signature))


def signed_with_public_key(payload: Mapping[str, object], secret: bytes) -> str:
    """HS256 with a public key as the shared secret: the confusion of RFC 8725, section 2.1."""
    unsigned = assembled({"alg": "HS256", "typ": "at+jwt", "kid": "RS256"}, payload).rpartition(".")[0]
    return f"{unsigned}.{_encoded(hmac.new(secret, unsigned.encode(), hashlib.sha256).digest())}"


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")
