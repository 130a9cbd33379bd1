"""Master keys in memory, in AWS KMS and in Vault's transit engine: the same promises, held by the same tests."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import CredentialUnreadable, Misconfigured, NotSent
from domain.ids import new_id
from domain.sealed import Sealed
from domain.secrets import Secret
from tests.support.key_services import TOKEN, KeyService
from tests.support.serving import serving
from vault.envelope import Envelope
from vault.key_services import AwsIdentity, KeyServices, aws_signature
from vault.master_keys import MasterKeys, read_master_keys

ARN = "arn:aws:kms:eu-central-1:123456789012:key/one"
IDENTITY = AwsIdentity("AKIDEXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"))
LOCAL = "A" * 43 + "="


@dataclass(frozen=True)
class Away:
    """Key services that a test can make ill, and master keys that lie there."""

    service: KeyService
    url: str

    def keys(self, text: str, **more: object) -> MasterKeys:
        known = KeyServices(**{"aws": IDENTITY, "aws_endpoint": f"{self.url}/", "vault_token": Secret(TOKEN), **more})  # type: ignore[arg-type]  # passed on as it is
        return read_master_keys(Secret(text), known)


@pytest.fixture
async def away() -> AsyncIterator[Away]:
    service = KeyService({name: AESGCM(AESGCM.generate_key(256)) for name in (ARN, "mandate", "another")})
    async with serving(service.app()) as url:
        yield Away(service, url)


def _texts(away: Away) -> dict[str, str]:
    return {
        "memory": f"k:{LOCAL}",
        "aws": f"k:aws-kms:{ARN}",
        "vault": f"k:vault:{away.url}/transit/mandate",
    }


@pytest.fixture(params=["memory", "aws", "vault"])
def keys(away: Away, request: pytest.FixtureRequest) -> MasterKeys:
    return away.keys(_texts(away)[request.param])


async def test_what_is_wrapped_is_unwrapped_in_its_place_alone(keys: MasterKeys) -> None:
    wrapped = await keys.wrap(b"a data key", b"place")
    assert b"a data key" not in wrapped
    assert await keys.unwrap("k", wrapped, b"place") == b"a data key"
    for changed, place in (
        (wrapped, b"other"),
        (wrapped[:-3] + b"xyz", b"place"),
        (b"", b"place"),
        (b"\xff", b"place"),
    ):
        with pytest.raises(CredentialUnreadable, match="master key 'k'"):
            await keys.unwrap("k", changed, place)


async def test_a_key_that_nobody_holds_is_named(keys: MasterKeys) -> None:
    with pytest.raises(CredentialUnreadable, match="'other', which MANDATE_MASTER_KEYS does not hold"):
        await keys.unwrap("other", b"", b"place")


async def test_data_keys_move_from_one_place_to_another(away: Away) -> None:
    texts = _texts(away)
    for one in texts:
        for other in texts:
            both = away.keys(f"new{texts[other][1:]},old{texts[one][1:]}")
            wrapped = await away.keys(f"old{texts[one][1:]}").wrap(b"a data key", b"place")
            moved = await both.wrap(await both.unwrap("old", wrapped, b"place"), b"place")
            assert await away.keys(f"new{texts[other][1:]}").unwrap("new", moved, b"place") == b"a data key"


@pytest.mark.parametrize("kind", ["aws", "vault"])
async def test_a_service_that_is_ill_or_gone_means_not_sent(away: Away, kind: str) -> None:
    keys = away.keys(_texts(away)[kind])
    wrapped = await keys.wrap(b"a data key", b"place")
    away.service.is_ill = True
    with pytest.raises(NotSent, match="key service does not answer"):
        await keys.unwrap("k", wrapped, b"place")
    gone = away.keys(
        "k:vault:http://127.0.0.1:9/transit/mandate" if kind == "vault" else f"k:aws-kms:{ARN}",
        aws_endpoint="http://127.0.0.1:9/",
    )
    with pytest.raises(NotSent):
        await gone.wrap(b"a data key", b"place")


@pytest.mark.parametrize(
    ("text", "more"),
    [
        (f"k:aws-kms:{ARN}", {"aws": AwsIdentity("SOMEBODY", Secret("else"))}),
        (f"k:aws-kms:{ARN}nothing", {}),
        ("k:vault:URL/transit/mandate", {"vault_token": Secret("expired")}),
    ],
)
async def test_a_service_that_refuses_us_is_for_the_operator(away: Away, text: str, more: dict[str, object]) -> None:
    with pytest.raises(Misconfigured, match="refuses us"):
        await away.keys(text.replace("URL", away.url), **more).wrap(b"a data key", b"place")


@pytest.mark.parametrize(
    ("text", "more", "told"),
    [
        ("k:aws-kms:arn:aws:s3:::bucket", {}, "named like arn"),
        ("k:aws-kms:", {}, "named like arn"),
        (f"k:aws-kms:{ARN}", {"aws": None}, "AWS_ACCESS_KEY_ID"),
        ("k:vault:vault.example/transit/mandate", {}, "named like https"),
        ("k:vault:https://vault.example/mandate", {}, "named like https"),
        ("k:vault:https://vault.example/transit/mandate", {"vault_token": None}, "MANDATE_VAULT_TOKEN"),
    ],
)
def test_what_names_no_key_is_told_before_anything_starts(text: str, more: dict[str, object], told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        Away(KeyService(), "http://127.0.0.1:9").keys(text, **more)


async def test_a_service_is_asked_once_however_many_wait_for_a_tenants_key(away: Away) -> None:
    envelope, tenant, subject = Envelope(away.keys(f"k:aws-kms:{ARN}")), "acme", new_id()
    key = await envelope.new_key(tenant)
    sealed = await Envelope(away.keys(f"k:aws-kms:{ARN}")).seal(
        key, b"secret", purpose="p", tenant=tenant, subject=subject, version=1
    )
    away.service.asked.clear()
    opened = await asyncio.gather(
        *(envelope.open(sealed, purpose="p", tenant=tenant, subject=subject) for _ in range(50))
    )
    assert set(opened) == {b"secret"}
    assert away.service.asked == ["Decrypt"]


async def test_silence_is_shared_as_answers_are(away: Away) -> None:
    envelope, subject = Envelope(away.keys(f"k:aws-kms:{ARN}")), new_id()
    sealed = Sealed(await envelope.new_key("acme"), 1, b"secret")
    away.service.is_ill = True
    away.service.asked.clear()
    opened = [envelope.open(sealed, purpose="p", tenant="acme", subject=subject) for _ in range(50)]
    told = await asyncio.gather(*opened, return_exceptions=True)
    assert {type(each) for each in told} == {NotSent}
    assert away.service.asked == ["Decrypt"]


def test_requests_to_aws_are_signed_as_aws_publishes_it() -> None:
    """`get-vanilla` of the Signature Version 4 test suite."""
    now = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    signed = aws_signature(IDENTITY, "us-east-1", "service", "https://example.amazonaws.com/", {}, b"", now, "GET")
    assert signed["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )
