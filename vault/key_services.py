"""Master keys that never leave a key service: AWS KMS, and Vault's transit engine.

Only data keys go there, a few bytes each, and Envelope keeps what came back for minutes: a service that is slow costs
the first call of a tenant, one that is away costs those whose data key is not at hand. Each data key is bound to its
place there too (AWS: encryption context; Vault: associated data), by a hash, since services write such things into
their logs.

AWS Key Management Service API Reference, `Encrypt` and `Decrypt`; Vault API, Transit secrets engine.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2

from domain.errors import Misconfigured, NotSent
from domain.secrets import Secret

_SECONDS = 5
_AWAY = "The key service does not answer, so the credential cannot be opened just now. Nothing was sent. Try again."
_NOT_ALLOWED = "The key service refuses us. Look at the rights of the identity that Mandate uses there."
Now = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class AwsIdentity:
    """Who we are at AWS."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None


@dataclass(frozen=True, slots=True)
class KeyServices:
    """What is needed to speak to key services, where there are any."""

    aws: AwsIdentity | None = None
    aws_endpoint: str | None = None
    vault_token: Secret | None = None


@dataclass(frozen=True, slots=True)
class AwsKmsKey:
    """A symmetric key of AWS KMS, by its ARN."""

    arn: str
    region: str
    identity: AwsIdentity
    endpoint: str
    now: Now = field(default=lambda: datetime.now(UTC))

    async def encrypt(self, plain: bytes, bound_to: bytes) -> bytes:
        """Raises NotSent, Misconfigured."""
        told = await self._ask("Encrypt", {"Plaintext": _text(plain)}, bound_to)
        return base64.b64decode(told["CiphertextBlob"])

    async def decrypt(self, sealed: bytes, bound_to: bytes) -> bytes:
        """Raises ValueError when the bytes are not this key's, or bound to another place; NotSent, Misconfigured."""
        told = await self._ask("Decrypt", {"CiphertextBlob": _text(sealed)}, bound_to)
        return base64.b64decode(told["Plaintext"])

    async def _ask(self, deed: str, what: Mapping[str, str], bound_to: bytes) -> Mapping[str, str]:
        context = {"mandate": hashlib.sha256(bound_to).hexdigest()}
        body = json.dumps({"KeyId": self.arn, "EncryptionContext": context, **what}).encode()
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"TrentService.{deed}"}
        signed = aws_signature(self.identity, self.region, "kms", self.endpoint, headers, body, self.now())
        status, told = await _post(self.endpoint, signed, body)
        if status == 200:
            return told
        kind = told.get("__type", "").rpartition("#")[2]
        if kind in ("InvalidCiphertextException", "IncorrectKeyException"):
            raise ValueError(kind)
        raise _problem(status, kind)


@dataclass(frozen=True, slots=True)
class VaultTransitKey:
    """A key of type aes256-gcm96 in Vault's transit engine, by its mount and name."""

    address: str
    mount: str
    name: str
    token: Secret

    async def encrypt(self, plain: bytes, bound_to: bytes) -> bytes:
        """Raises NotSent, Misconfigured."""
        return (await self._ask("encrypt", {"plaintext": _text(plain)}, bound_to))["ciphertext"].encode()

    async def decrypt(self, sealed: bytes, bound_to: bytes) -> bytes:
        """Raises ValueError when the bytes are not this key's, or bound to another place; NotSent, Misconfigured."""
        told = await self._ask("decrypt", {"ciphertext": sealed.decode(errors="replace")}, bound_to)
        return base64.b64decode(told["plaintext"])

    async def _ask(self, deed: str, what: Mapping[str, str], bound_to: bytes) -> Mapping[str, str]:
        body = json.dumps({**what, "associated_data": _text(hashlib.sha256(bound_to).digest())}).encode()
        headers = {"content-type": "application/json", "x-vault-token": self.token.reveal()}
        status, told = await _post(f"{self.address}/v1/{self.mount}/{deed}/{self.name}", headers, body)
        data = told.get("data")
        if status == 200 and isinstance(data, dict):
            return data
        if status == 400 and deed == "decrypt":
            raise ValueError(deed)
        raise _problem(status, "")


def aws_signature(
    identity: AwsIdentity,
    region: str,
    service: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    method: str = "POST",
) -> dict[str, str]:
    """The headers with AWS's Signature Version 4 among them, for an address without a query."""
    place = urlsplit(url)
    moment, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    token = {"x-amz-security-token": identity.session_token.reveal()} if identity.session_token else {}
    signed = {**headers, "host": place.netloc, "x-amz-date": moment, **token}
    names = ";".join(sorted(signed))
    lines = [f"{name}:{signed[name].strip()}" for name in sorted(signed)]
    request = "\n".join([method, place.path or "/", place.query, *lines, "", names, hashlib.sha256(body).hexdigest()])
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{identity.secret_access_key.reveal()}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    proof = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{identity.access_key_id}/{scope}"
    signed["authorization"] = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={proof}"
    return signed


def aws_key(arn: str, services: KeyServices) -> AwsKmsKey:
    """From `arn:aws:kms:REGION:ACCOUNT:key/ID`. Raises Misconfigured."""
    parts = arn.split(":")
    if len(parts) != 6 or parts[0] != "arn" or parts[2] != "kms" or not parts[3] or not parts[5].startswith("key/"):
        raise Misconfigured(
            "MANDATE_MASTER_KEYS: an AWS key is named like arn:aws:kms:eu-central-1:123456789012:key/…."
        )
    if services.aws is None:
        raise Misconfigured(
            "MANDATE_MASTER_KEYS names an AWS key, so AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are needed."
        )
    suffix = "amazonaws.com.cn" if parts[1] == "aws-cn" else "amazonaws.com"
    return AwsKmsKey(arn, parts[3], services.aws, services.aws_endpoint or f"https://kms.{parts[3]}.{suffix}/")


def vault_key(address: str, services: KeyServices) -> VaultTransitKey:
    """From `https://HOST[:PORT]/MOUNT/KEY`. Raises Misconfigured."""
    place = urlsplit(address)
    mount, _, name = place.path.strip("/").rpartition("/")
    if place.scheme not in ("http", "https") or not place.hostname or not mount or not name:
        raise Misconfigured(
            "MANDATE_MASTER_KEYS: a key of Vault is named like https://vault.example:8200/transit/mandate."
        )
    if services.vault_token is None:
        raise Misconfigured("MANDATE_MASTER_KEYS names a key of Vault, so MANDATE_VAULT_TOKEN is needed.")
    return VaultTransitKey(f"{place.scheme}://{place.netloc}", mount, name, services.vault_token)


async def _post(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
    """One call. Raises NotSent when no answer comes, or none that can be read."""
    try:
        async with httpx2.AsyncClient(timeout=_SECONDS, trust_env=False) as http:
            answer = await http.post(url, headers=dict(headers), content=body)
            told = answer.json()
    except (httpx2.HTTPError, ValueError):
        raise NotSent(_AWAY) from None
    if not isinstance(told, dict):
        raise NotSent(_AWAY)
    return answer.status_code, told


def _problem(status: int, kind: str) -> NotSent | Misconfigured:
    if status in (401, 403) or kind in ("AccessDeniedException", "NotFoundException", "UnrecognizedClientException"):
        return Misconfigured(_NOT_ALLOWED)
    return NotSent(_AWAY)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
