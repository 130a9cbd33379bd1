"""The public keys by which an issuer's signatures are known.

Only asymmetric public keys are taken: RSA of 2048 to 8192 bits, EC on P-256, Ed25519. Anything else in a key set
is passed over, as RFC 7517, section 5 asks: a shared secret (`oct`), a key that lists its private half, a key
meant for encryption. An issuer that does not answer is no reason to turn everybody away: keys once fetched serve
for a day.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

from domain.errors import DependencyDown, MandateError, Misconfigured

FRESH_SECONDS: Final = 600.0
STALE_SECONDS: Final = 86_400.0
RETRY_SECONDS: Final = 30.0
FIRST_RETRY_SECONDS: Final = 5.0
REFRESH_SECONDS: Final = 10.0
DOCUMENT_BYTES: Final = 65_536
MOST_KEYS: Final = 50

_KEY_TYPES: Final = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
_CURVES: Final = {"EC": "P-256", "OKP": "Ed25519"}
_MEMBERS: Final = ("kty", "kid", "alg", "use", "n", "e", "crv", "x", "y")
_RSA_BITS: Final = range(2048, 8193)
_SHORTEST_MODULUS: Final = 342  # characters of base64 for 2048 bits


class KeySource(Protocol):
    """Where an issuer's keys come from."""

    async def key_set(self, kid: str | None) -> KeySet:
        """The keys to look in for the one named `kid`; it may be missing. Raises DependencyDown, Misconfigured."""
        ...


class FixedKeys:
    """A key set that is known beforehand and never changes."""

    def __init__(self, jwks: Mapping[str, object]) -> None:
        """Raises Misconfigured when the set holds no key that can be used."""
        keys = read_key_set(jwks)
        if keys is None:
            raise Misconfigured("The key set holds no public key for RS256, ES256 or EdDSA.")
        self._keys = keys

    async def key_set(self, kid: str | None) -> KeySet:  # noqa: ARG002 - there is nothing to look for
        """Always the same keys."""
        return self._keys


class RemoteKeys:
    """The keys an OpenID Connect issuer publishes (OpenID Connect Discovery 1.0, section 4; RFC 7517).

    Fetched when first needed and again after 10 minutes; for a key id that is not known at once, but never more
    often than every 30 seconds, or 5 as long as there are no keys at all. Callers who need the same fetch share it.
    While the issuer is silent the last keys serve for 24 hours, and nobody who can be served by them waits longer
    than `patience_seconds`.

    `fetch` reads an address and raises whatever it likes; it should keep redirects off and bound what it reads.
    """

    def __init__(
        self,
        issuer: str,
        fetch: Callable[[str], Awaitable[bytes]],
        *,
        clock: Callable[[], float] = time.monotonic,
        patience_seconds: float = 1.0,
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._patience = patience_seconds
        self._keys: KeySet | None = None
        self._fetched_at = 0.0
        self._tried_at: float | None = None
        self._failure: Exception | None = None
        self._flight: asyncio.Task[None] | None = None

    async def key_set(self, kid: str | None) -> KeySet:
        """The issuer's keys. Raises DependencyDown or Misconfigured when there are none to use."""
        keys = self._usable()
        is_known = keys is not None and (kid is None or _holds(keys, kid))
        if not is_known or self._age() >= FRESH_SECONDS:
            await self._refreshed(patience=self._patience if is_known else None)
            keys = self._usable()
        if keys is None:
            raise _complaint(self._failure) from self._failure
        return keys

    async def aclose(self) -> None:
        """Give up a fetch that is under way."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait({self._flight})

    def _usable(self) -> KeySet | None:
        return self._keys if self._age() < STALE_SECONDS else None

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    async def _refreshed(self, patience: float | None) -> None:
        """Join the fetch under way, or start one if it is time for one. Returns when it is over, or out of patience."""
        if self._flight is None and self._may_try():
            self._tried_at = self._clock()
            self._flight = asyncio.create_task(self._refresh())
        if self._flight is not None:
            # Waited for and not awaited: a caller who goes away must not end what others wait for.
            await asyncio.wait({self._flight}, timeout=patience)

    def _may_try(self) -> bool:
        pause = RETRY_SECONDS if self._usable() else FIRST_RETRY_SECONDS
        return self._tried_at is None or self._clock() - self._tried_at >= pause

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(REFRESH_SECONDS):
                self._keys = await self._read_issuer()
            self._fetched_at = self._clock()
            self._failure = None
        except Exception as failure:  # noqa: BLE001 - whatever `fetch` raises means that there is no answer
            self._failure = failure.with_traceback(None)
        finally:
            self._flight = None

    async def _read_issuer(self) -> KeySet:
        discovery = _document(await self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"))
        if discovery.get("issuer") != self._issuer:
            raise _OtherName
        address = discovery.get("jwks_uri")
        if not isinstance(address, str) or not self._may_hold_keys(address):
            raise _Garbled
        keys = read_key_set(_document(await self._fetch(address)))
        if keys is None:
            raise _Garbled
        return keys

    def _may_hold_keys(self, address: str) -> bool:
        """Keys come over https, unless the operator trusts an issuer on plain http in the first place."""
        scheme = urlsplit(address).scheme
        return scheme == "https" or scheme == urlsplit(self._issuer).scheme == "http"


def read_key_set(document: Mapping[str, object]) -> KeySet | None:
    """The usable keys of a JWK Set (RFC 7517, section 5); None when there are none, or more than 50 of any kind."""
    listed = document.get("keys")
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        return None
    keys = [key for item in listed if (key := _read_key(item)) is not None]
    return KeySet(keys) if keys else None


def key_for(keys: KeySet, kid: str | None, algorithm: str) -> Key | None:
    """The key a token was signed with: the one it names, or without a name the only one that fits the algorithm."""
    fitting = [key for key in keys if key.key_type == _KEY_TYPES.get(algorithm) and key.alg in {None, algorithm}]
    if kid is not None:
        return next((key for key in fitting if key.kid == kid), None)
    return fitting[0] if len(fitting) == 1 else None


def _read_key(item: object) -> Key | None:
    if not isinstance(item, dict) or not _is_public_and_for_signatures(item):
        return None
    members: dict[str, str | list[str]] = {name: value for name in _MEMBERS if isinstance(value := item.get(name), str)}
    try:
        match members.get("kty"):
            case "RSA" if len(members.get("n", "")) >= _SHORTEST_MODULUS:
                rsa = RSAKey.import_key(members)
                return rsa if rsa.raw_value.key_size in _RSA_BITS else None
            case "EC" if members.get("crv") == _CURVES["EC"]:
                return ECKey.import_key(members)
            case "OKP" if members.get("crv") == _CURVES["OKP"]:
                return OKPKey.import_key(members)
    except (JoseError, ValueError, TypeError, LookupError):
        pass
    return None


def _is_public_and_for_signatures(item: Mapping[str, object]) -> bool:
    operations = item.get("key_ops")
    may_verify = operations is None or (isinstance(operations, list) and "verify" in operations)
    # A key that shows its private half signs for anybody.
    return "d" not in item and item.get("use") in (None, "sig") and may_verify


def _holds(keys: KeySet, kid: str) -> bool:
    return any(key.kid == kid for key in keys)


def _document(content: bytes) -> Mapping[str, object]:
    if len(content) > DOCUMENT_BYTES:
        raise _Garbled
    document = json.loads(content)
    if not isinstance(document, dict):
        raise _Garbled
    return document


class _Garbled(Exception):
    """The answer is not the document it should be."""


class _OtherName(Exception):
    """The issuer calls itself something else."""


def _complaint(failure: Exception | None) -> MandateError:
    if isinstance(failure, _OtherName):
        return Misconfigured(
            "The identity provider calls itself by another name than MANDATE_OIDC_ISSUER. Copy `issuer` from its "
            "discovery document, letter by letter."
        )
    if isinstance(failure, _Garbled | ValueError):
        return DependencyDown("The identity provider answers, but not with keys we can use. Try again shortly.")
    return DependencyDown("The identity provider does not answer, so tokens cannot be checked. Try again shortly.")
