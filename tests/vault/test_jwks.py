import asyncio
import json
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from domain.errors import DependencyDown, Misconfigured, Unauthenticated
from tests.support.serving import serving
from tests.vault.issuing import AUDIENCE, ISSUER, NOW, claims, key_of, published, signed, trusted
from vault import tokens
from vault.jwks import DOCUMENT_BYTES, FixedKeys, RemoteKeys, read_key_set
from vault.tokens import AccessTokens, TrustedIssuer

KEYS_ADDRESS = f"{ISSUER}/keys"


class Issuer:
    """An identity provider in memory, with a clock of its own. `is_down` and `hold` make it fail and hang."""

    def __init__(self) -> None:
        self.discovery: dict[str, object] = {"issuer": ISSUER, "jwks_uri": KEYS_ADDRESS}
        self.keys: dict[str, object] = published()
        self.asked: list[str] = []
        self.seconds = 1000.0
        self.is_down = False
        self.hold: asyncio.Event | None = None

    @property
    def fetches_of_keys(self) -> int:
        return self.asked.count(KEYS_ADDRESS)

    async def fetch(self, address: str) -> bytes:
        self.asked.append(address)
        if self.hold is not None:
            await self.hold.wait()
        if self.is_down:
            raise OSError("connection refused")
        return json.dumps(self.keys if address == KEYS_ADDRESS else self.discovery).encode()

    def source(self, patience_seconds: float = 0) -> RemoteKeys:
        return RemoteKeys(ISSUER, self.fetch, clock=lambda: self.seconds, patience_seconds=patience_seconds)


async def settled() -> None:
    """Let everything run that can, in this loop."""
    for _ in range(20):
        await asyncio.sleep(0)


async def ask(source: RemoteKeys, kid: str | None = "ES256") -> list[str | None]:
    return [key.kid for key in await source.key_set(kid)]


async def test_keys_are_fetched_once_and_kept_for_ten_minutes() -> None:
    issuer = Issuer()
    source = issuer.source(1)
    assert await ask(source) == ["RS256", "ES256", "EdDSA"]
    issuer.seconds += 599
    await ask(source)
    assert issuer.asked == [f"{ISSUER}/.well-known/openid-configuration", KEYS_ADDRESS]
    issuer.seconds += 1
    await ask(source)
    assert issuer.fetches_of_keys == 2


async def test_nothing_is_fetched_before_somebody_calls() -> None:
    issuer = Issuer()
    issuer.source()
    assert issuer.asked == []


async def test_an_unknown_key_id_costs_one_fetch_in_thirty_seconds() -> None:
    issuer = Issuer()
    source = issuer.source()
    await ask(source)
    for second in range(60):
        issuer.seconds += 1
        for attempt in range(5):
            assert await ask(source, f"made-up-{second}-{attempt}")
    assert issuer.fetches_of_keys == 3


async def test_a_new_key_is_found_by_its_id() -> None:
    issuer = Issuer()
    source = issuer.source()
    await ask(source)
    issuer.keys = {"keys": [ECKey.generate_key("P-256", {"kid": "new"}).as_dict(private=False)]}
    issuer.seconds += 30
    assert await ask(source, "new") == ["new"]


async def test_callers_who_come_together_share_one_fetch() -> None:
    issuer = Issuer()
    issuer.hold = asyncio.Event()
    source = issuer.source()
    waiting = [asyncio.create_task(ask(source, f"kid-{number}")) for number in range(50)]
    await settled()
    issuer.hold.set()
    await asyncio.gather(*waiting)
    assert issuer.fetches_of_keys == 1


async def test_a_caller_who_goes_away_does_not_end_what_others_wait_for() -> None:
    issuer = Issuer()
    issuer.hold = asyncio.Event()
    source = issuer.source()
    first, second = (asyncio.create_task(ask(source)) for _ in range(2))
    await settled()
    first.cancel()
    await settled()
    issuer.hold.set()
    assert await second
    assert issuer.fetches_of_keys == 1


async def test_an_issuer_that_is_down_from_the_start_is_asked_again_every_five_seconds() -> None:
    issuer = Issuer()
    issuer.is_down = True
    source = issuer.source()
    for _ in range(10):
        with pytest.raises(DependencyDown, match="does not answer"):
            await ask(source)
        issuer.seconds += 1
    assert len(issuer.asked) == 2
    issuer.is_down = False
    assert await ask(source)


async def test_an_issuer_that_goes_down_later_leaves_its_keys_for_a_day() -> None:
    issuer = Issuer()
    source = issuer.source(1)
    await ask(source)
    issuer.is_down = True
    issuer.seconds += 86_399
    assert await ask(source)
    issuer.seconds += 1
    with pytest.raises(DependencyDown):
        await ask(source)


async def test_an_issuer_that_is_down_is_not_asked_for_every_caller() -> None:
    issuer = Issuer()
    source = issuer.source(1)
    await ask(source)
    issuer.is_down = True
    issuer.seconds += 600
    before = len(issuer.asked)
    for _ in range(60):
        assert await ask(source)
        issuer.seconds += 1
    assert len(issuer.asked) - before == 2


async def test_an_issuer_that_hangs_does_not_hold_up_whom_the_kept_keys_can_serve() -> None:
    issuer = Issuer()
    source = issuer.source(patience_seconds=0)
    await ask(source)
    issuer.hold = asyncio.Event()
    issuer.seconds += 600
    assert await ask(source)
    await source.aclose()


async def test_an_answer_that_comes_late_is_used_all_the_same() -> None:
    issuer = Issuer()
    source = issuer.source(patience_seconds=0)
    await ask(source)
    issuer.hold = asyncio.Event()
    issuer.keys = {"keys": [key_of("EdDSA").as_dict(private=False)]}
    issuer.seconds += 600
    await ask(source)
    issuer.hold.set()
    await settled()
    assert await ask(source, "EdDSA") == ["EdDSA"]


async def test_a_closed_source_leaves_nothing_running() -> None:
    issuer = Issuer()
    issuer.hold = asyncio.Event()
    source = issuer.source()
    waiting = asyncio.create_task(ask(source))
    await settled()
    await source.aclose()
    with pytest.raises(DependencyDown):
        await waiting


@pytest.mark.parametrize("name", [f"{ISSUER}/", "https://LOGIN.example", None, [ISSUER]])
async def test_an_issuer_by_another_name_is_the_operators_to_put_right(name: object) -> None:
    issuer = Issuer()
    issuer.discovery["issuer"] = name
    with pytest.raises(Misconfigured, match="MANDATE_OIDC_ISSUER") as problem:
        await ask(issuer.source())
    assert "LOGIN" not in problem.value.message


@pytest.mark.parametrize("address", ["http://login.example/keys", "file:///etc/passwd", "/keys", "", None, 7])
async def test_keys_are_fetched_from_https_only(address: object) -> None:
    issuer = Issuer()
    issuer.discovery["jwks_uri"] = address
    with pytest.raises(DependencyDown, match="not with keys"):
        await ask(issuer.source())
    assert len(issuer.asked) == 1


GARBLED: dict[str, bytes] = {
    "nothing": b"",
    "a page": b"<html>",
    "a list": b"[]",
    "not text": b"\xff\xfe\xff",
    "no keys": b"{}",
    "an empty set": b'{"keys": []}',
    "only what cannot be used": json.dumps({"keys": [{"kty": "oct", "k": "AAAA"}]}).encode(),
    "too long": json.dumps(published()).encode().ljust(DOCUMENT_BYTES + 1),
    "too many": json.dumps({"keys": [key_of("ES256").as_dict(private=False)] * 51}).encode(),
}


def answering(answers: dict[str, bytes]) -> Callable[[str], Awaitable[bytes]]:
    async def fetch(address: str) -> bytes:
        return answers[address]

    return fetch


@pytest.mark.parametrize("content", GARBLED.values(), ids=GARBLED)
async def test_a_key_set_that_cannot_be_used_is_no_key_set(content: bytes) -> None:
    discovery = json.dumps({"issuer": ISSUER, "jwks_uri": KEYS_ADDRESS}).encode()
    fetch = answering({f"{ISSUER}/.well-known/openid-configuration": discovery, KEYS_ADDRESS: content})
    with pytest.raises(DependencyDown, match="not with keys we can use"):
        await ask(RemoteKeys(ISSUER, fetch))


async def test_a_garbled_key_set_does_not_replace_a_good_one() -> None:
    issuer = Issuer()
    source = issuer.source(1)
    await ask(source)
    issuer.keys = {"keys": []}
    issuer.seconds += 600
    assert len(await ask(source)) == 3


def test_only_public_keys_for_signatures_are_taken() -> None:
    rsa = key_of("RS256").as_dict(private=False)
    refused: list[object] = [
        OctKey.generate_key(256).as_dict(private=True),
        ECKey.generate_key("P-256").as_dict(private=True),
        ECKey.generate_key("P-384").as_dict(private=False),
        OKPKey.generate_key("X25519").as_dict(private=False),
        OKPKey.generate_key("Ed448").as_dict(private=False),
        rsa | {"use": "enc"},
        rsa | {"use": ["sig"]},
        rsa | {"key_ops": ["encrypt"]},
        rsa | {"n": str(rsa["n"])[:171]},
        rsa | {"n": "A" * 342},
        rsa | {"n": 7},
        {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"},
        {"kty": ["RSA"]},
        {},
        "RSA",
        None,
    ]
    for key in refused:
        assert read_key_set({"keys": [key]}) is None, key
    kept = read_key_set({"keys": [*refused, rsa | {"key_ops": ["verify"], "x5c": ["AAAA"], "custom": 1}]})
    assert kept is not None
    assert [key.kid for key in kept] == ["RS256"]


def test_a_fixed_set_without_a_key_is_refused_at_once() -> None:
    with pytest.raises(Misconfigured):
        FixedKeys({"keys": []})


async def test_tokens_wait_for_an_issuer_that_comes_up_later() -> None:
    issuer = Issuer()
    issuer.is_down = True
    reader = AccessTokens([trusted(issuer.source())])
    with pytest.raises(DependencyDown):
        await reader.read(signed(claims()), NOW)
    issuer.is_down = False
    issuer.seconds += 5
    assert (await reader.read(signed(claims()), NOW)).subject == "ada"


async def test_a_withdrawn_key_signs_no_more() -> None:
    issuer = Issuer()
    reader = AccessTokens([trusted(issuer.source(1))])
    await reader.read(signed(claims(), "RS256"), NOW)
    issuer.keys = {"keys": [key_of("ES256").as_dict(private=False)]}
    issuer.seconds += 600
    with pytest.raises(Unauthenticated) as refusal:
        await reader.read(signed(claims(), "RS256"), NOW)
    assert refusal.value.message == tokens.BAD_SIGNATURE


async def test_a_real_issuer_over_http_and_a_change_of_its_keys() -> None:
    rsa = RSAKey.generate_key(2048, {"kid": "first"})
    current: list[RSAKey | ECKey] = [rsa]

    async def discovery(request: Request) -> JSONResponse:
        base = str(request.base_url).rstrip("/")
        return JSONResponse({"issuer": f"{base}/realm", "jwks_uri": f"{base}/realm/keys"})

    async def keys(request: Request) -> JSONResponse:
        return JSONResponse({"keys": [key.as_dict(private=False) for key in current]})

    app = Starlette(routes=[Route("/realm/.well-known/openid-configuration", discovery), Route("/realm/keys", keys)])
    seconds = 0.0
    async with serving(app) as address, aiohttp.ClientSession() as session:

        async def fetch(url: str) -> bytes:
            async with session.get(url, allow_redirects=False, raise_for_status=True) as answer:
                return await answer.read()

        name = f"{address}/realm"
        source = RemoteKeys(name, fetch, clock=lambda: seconds)
        reader = AccessTokens([TrustedIssuer(name, AUDIENCE, "tenant", "roles", source)])
        assert (await reader.read(signed(claims(iss=name), "RS256", key=rsa, kid="first"), NOW)).subject == "ada"

        current[:] = [second := ECKey.generate_key("P-256", {"kid": "second"})]
        token = signed(claims(iss=name), "ES256", key=second, kid="second")
        with pytest.raises(Unauthenticated):
            await reader.read(token, NOW)
        seconds = 30.0
        assert (await reader.read(token, NOW)).subject == "ada"
    with pytest.raises(Unauthenticated):
        await reader.read(signed(claims(iss=name), "RS256", key=rsa, kid="first"), NOW)
