"""Access tokens of people and applications: JWTs by the operator's issuers, read into a `Caller`.

Follows RFC 9068 and RFC 8725: the algorithm is one of three, whatever the token says; the issuer is one we were
told to trust and only its keys count; keys and addresses named inside a token are not looked at. Of a token whose
signature does not hold nothing is told but that. Two liberties, because many issuers need them: `typ` may be
missing or `JWT`, and `iat` may be missing. An ID token is refused nevertheless: it proves who signed in, not what
its holder may do.

Clocks may differ by 30 seconds when a token begins. When it ends they may not: streams are cut at `exp`, and all
gateways should agree that it is over.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact

from domain.callers import Caller, Role
from domain.errors import Misconfigured, Unauthenticated
from vault.jwks import KeySource, key_for

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
LEEWAY_SECONDS: Final = 30
LONGEST_TENANT: Final = 200
LONGEST_SUBJECT: Final = 255

MALFORMED: Final = "The token cannot be read: it is neither an agent's key nor a signed JWT."
WRONG_ALGORITHM: Final = "The token must be signed with RS256, ES256 or EdDSA."
CRITICAL: Final = "The token demands an extension (`crit`) that is not supported here."
NOT_FOR_ACCESS: Final = "This is not an access token. Send the access token, not the ID token."
UNKNOWN_ISSUER: Final = "The token comes from an issuer that is not trusted here."
ELSEWHERE: Final = "A development token is accepted only from the machine Mandate runs on."
BAD_SIGNATURE: Final = "The token's signature is not one by its issuer."
WRONG_AUDIENCE: Final = "The token was issued for somebody else: its audience is not this gateway."
NO_EXPIRY: Final = "The token does not say when it expires."
EXPIRED: Final = "The token has expired. Get a new one."
NOT_YET: Final = "The token is not valid yet."
NO_SUBJECT: Final = "The token does not say whose it is: `sub` is missing or unfit."
NO_TENANT: Final = "The token names no tenant."
NO_ROLE: Final = "The token gives no role that is known here."
NO_AGENT: Final = "The token has the role agent and must name the agent (`agent`: agt_…)."

_TYPES: Final = ("jwt", "at+jwt")
_ID_TOKEN_CLAIMS: Final = ("nonce", "at_hash", "c_hash")
_AGENT_CLAIM: Final = "agent"
_AGENT_ID: Final = re.compile(r"agt_([0-9a-f]{32})")
_END_OF_TIME: Final = datetime(9999, 12, 31, tzinfo=UTC)

Claims = Mapping[str, object]


class Signatures(JWSRegistry):
    """The three algorithms there are for us, without joserfc's warning that RFC 9864 renames EdDSA."""

    # Issuers put certificates and names of their own here; RFC 7515, section 4: not understood means ignored.
    max_header_length = 4096

    def __init__(self) -> None:
        super().__init__(algorithms=ALGORITHMS, strict_check_header=False)
        self.algorithms = {name: copy(JWSRegistry.algorithms[name]) for name in ALGORITHMS}
        for algorithm in self.algorithms.values():
            algorithm.security_warning = None


SIGNATURES: Final = Signatures()


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer whose tokens are believed, and how to read them.

    `tenant_claim` and `roles_claim` are names of claims, or dotted paths to one (`realm_access.roles`). A claim
    whose whole name equals the setting comes first, so names that contain dots work too.
    """

    issuer: str
    audience: str
    tenant_claim: str
    roles_claim: str
    keys: KeySource
    is_development: bool = False


class AccessTokens:
    """Reads the access tokens of some trusted issuers."""

    def __init__(self, issuers: Iterable[TrustedIssuer]) -> None:
        """Raises Misconfigured when one issuer is trusted in two ways."""
        self._issuers: dict[str, TrustedIssuer] = {}
        for issuer in issuers:
            if issuer.issuer in self._issuers:
                raise Misconfigured("One issuer of tokens is set up twice: name each only once.")
            self._issuers[issuer.issuer] = issuer

    async def read(self, token: str, now: datetime, *, is_local: bool = False) -> Caller:
        """The caller a token speaks for. `is_local`: it came from this machine, so a development token counts.

        Raises Unauthenticated with one of this module's sentences; DependencyDown and Misconfigured when the
        issuer's keys cannot be had.
        """
        signed = _opened(token)
        claims = _claims(signed)
        _check_header(signed.protected)
        issuer = self._issuer(claims)
        if issuer.is_development and not is_local:
            raise Unauthenticated(ELSEWHERE)
        kid: str | None = signed.protected.get("kid")
        key = key_for(await issuer.keys.key_set(kid), kid, signed.protected["alg"])
        if key is None or not _is_signed(signed, key):
            raise Unauthenticated(BAD_SIGNATURE)
        _check_purpose(claims, issuer)
        return _caller(claims, issuer, _ends(claims, now))

    def _issuer(self, claims: Claims) -> TrustedIssuer:
        name = claims.get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            raise Unauthenticated(UNKNOWN_ISSUER)
        return issuer


def is_fit(name: object, longest: int) -> bool:
    """Whether this can name a tenant or subject: 1 to `longest` printable characters, no blanks at the ends."""
    return isinstance(name, str) and 0 < len(name) <= longest and name.isprintable() and name == name.strip()


# Refusals are raised outside `except`: an exception that was being handled would hang on to the token's text.


def _opened(token: str) -> CompactSignature:
    signed: CompactSignature | None
    try:
        signed = extract_compact(token.encode(), registry=SIGNATURES)
    except (JoseError, ValueError, TypeError, RecursionError):
        signed = None
    if signed is None:
        raise Unauthenticated(MALFORMED)
    return signed


def _claims(signed: CompactSignature) -> Claims:
    claims: object
    try:
        claims = json.loads(signed.payload)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise Unauthenticated(MALFORMED)
    return claims


def _check_header(header: object) -> None:
    if not isinstance(header, dict) or not isinstance(header.get("kid"), str | None):
        raise Unauthenticated(MALFORMED)
    if header.get("alg") not in ALGORITHMS:
        raise Unauthenticated(WRONG_ALGORITHM)
    if "crit" in header:
        raise Unauthenticated(CRITICAL)
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in _TYPES:
        raise Unauthenticated(NOT_FOR_ACCESS)


def _is_signed(signed: CompactSignature, key: Key) -> bool:
    try:
        return validate_compact(signed, key, algorithms=ALGORITHMS, registry=SIGNATURES)
    except (JoseError, ValueError, TypeError):
        return False


def _check_purpose(claims: Claims, issuer: TrustedIssuer) -> None:
    audience = claims.get("aud")
    if issuer.audience not in (audience if isinstance(audience, list) else [audience]):
        raise Unauthenticated(WRONG_AUDIENCE)
    if any(name in claims for name in _ID_TOKEN_CLAIMS):
        raise Unauthenticated(NOT_FOR_ACCESS)


def _ends(claims: Claims, now: datetime) -> datetime:
    """When the token ends. Raises Unauthenticated when that has been, or when it has not begun."""
    expiry = _seconds(claims.get("exp"))
    if expiry is None:
        raise Unauthenticated(NO_EXPIRY)
    if expiry <= now.timestamp():
        raise Unauthenticated(EXPIRED)
    for name in ("nbf", "iat"):
        beginning = _seconds(claims[name]) if name in claims else now.timestamp()
        if beginning is None or beginning > now.timestamp() + LEEWAY_SECONDS:
            raise Unauthenticated(NOT_YET)
    return datetime.fromtimestamp(expiry, UTC) if expiry < _END_OF_TIME.timestamp() else _END_OF_TIME


def _seconds(value: object) -> float | None:
    """A NumericDate (RFC 7519, section 2) as a number that can be counted with."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and math.isnan(value):
        return None
    furthest = _END_OF_TIME.timestamp()
    return float(max(-furthest, min(value, furthest)))


def _caller(claims: Claims, issuer: TrustedIssuer, ends: datetime) -> Caller:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not is_fit(subject, LONGEST_SUBJECT):
        raise Unauthenticated(NO_SUBJECT)
    tenant = _claim(claims, issuer.tenant_claim)
    if not isinstance(tenant, str) or not is_fit(tenant, LONGEST_TENANT):
        raise Unauthenticated(NO_TENANT)
    roles = _roles(_claim(claims, issuer.roles_claim))
    if not roles:
        raise Unauthenticated(NO_ROLE)
    if Role.AGENT in roles:
        # An agent is nothing else: a second role would let it connect, grant or approve.
        return Caller(tenant, subject, frozenset({Role.AGENT}), _agent_id(claims), expires_at=ends)
    return Caller(tenant, subject, roles, expires_at=ends)


def _claim(claims: Claims, path: str) -> object:
    if path in claims:
        return claims[path]
    found: object = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _roles(claimed: object) -> frozenset[Role]:
    names = claimed if isinstance(claimed, list) else [claimed]
    return frozenset(role for role in Role if role.value in names)


def _agent_id(claims: Claims) -> UUID:
    claimed = claims.get(_AGENT_CLAIM)
    shape = _AGENT_ID.fullmatch(claimed) if isinstance(claimed, str) else None
    if shape is None:
        raise Unauthenticated(NO_AGENT)
    return UUID(hex=shape[1])
