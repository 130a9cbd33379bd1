"""Promise A4, the part about JWTs: what is wrong is refused, each fault with its own sentence."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from domain.callers import Role
from domain.errors import Misconfigured, Unauthenticated
from tests.vault.issuing import (
    AUDIENCE,
    ISSUER,
    NOW,
    assembled,
    claims,
    key_of,
    published,
    signed,
    signed_with_public_key,
    trusted,
)
from vault import tokens
from vault.jwks import FixedKeys
from vault.tokens import AccessTokens

SECONDS = int(NOW.timestamp())
AGENT = UUID("0192aabb-ccdd-7eee-8fff-001122334455")
TOKENS = AccessTokens([trusted()])


async def sentence_for(token: str, reader: AccessTokens = TOKENS) -> str:
    with pytest.raises(Unauthenticated) as refusal:
        await reader.read(token, NOW)
    assert refusal.value.__context__ is None
    return refusal.value.message


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("kind", ["at+jwt", "application/at+jwt", "JWT", None])
async def test_a_good_token_gives_its_caller(algorithm: str, kind: str | None) -> None:
    caller = await TOKENS.read(signed(claims(), algorithm, typ=kind), NOW)
    assert (caller.tenant, caller.subject, caller.roles) == ("acme", "ada", frozenset({Role.OWNER}))
    assert caller.expires_at == datetime.fromtimestamp(SECONDS + 600, UTC)
    assert caller.agent_id is None


#: Signed by the issuer's key, and refused for what they say.
UNFIT_CLAIMS: dict[str, tuple[dict[str, object], str]] = {
    "another issuer": ({"iss": "https://elsewhere.example"}, tokens.UNKNOWN_ISSUER),
    "the issuer with a slash": ({"iss": ISSUER + "/"}, tokens.UNKNOWN_ISSUER),
    "no issuer": ({"iss": None}, tokens.UNKNOWN_ISSUER),
    "a list of issuers": ({"iss": [ISSUER]}, tokens.UNKNOWN_ISSUER),
    "another audience": ({"aud": "https://elsewhere.example"}, tokens.WRONG_AUDIENCE),
    "an audience that contains ours": ({"aud": AUDIENCE + ".elsewhere.example"}, tokens.WRONG_AUDIENCE),
    "no audience": ({"aud": None}, tokens.WRONG_AUDIENCE),
    "no expiry": ({"exp": None}, tokens.NO_EXPIRY),
    "an expiry in words": ({"exp": "tomorrow"}, tokens.NO_EXPIRY),
    "an expiry of true": ({"exp": True}, tokens.NO_EXPIRY),
    "an expiry that is no number": ({"exp": float("nan")}, tokens.NO_EXPIRY),
    "expired this second": ({"exp": SECONDS}, tokens.EXPIRED),
    "expired before time began": ({"exp": -(10**400)}, tokens.EXPIRED),
    "not yet valid": ({"nbf": SECONDS + 31}, tokens.NOT_YET),
    "a beginning in words": ({"nbf": "soon"}, tokens.NOT_YET),
    "issued in the future": ({"iat": SECONDS + 31}, tokens.NOT_YET),
    "an ID token with a nonce": ({"nonce": "n-0S6_WzA2Mj"}, tokens.NOT_FOR_ACCESS),
    "an ID token with a token's hash": ({"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}, tokens.NOT_FOR_ACCESS),
    "an ID token with a code's hash": ({"c_hash": "LDktKdoQak3Pk0cnXxCltA"}, tokens.NOT_FOR_ACCESS),
    "no subject": ({"sub": None}, tokens.NO_SUBJECT),
    "an empty subject": ({"sub": ""}, tokens.NO_SUBJECT),
    "a subject that is a number": ({"sub": 7}, tokens.NO_SUBJECT),
    "a subject with a line break": ({"sub": "ada\nroot"}, tokens.NO_SUBJECT),
    "a subject that is too long": ({"sub": "a" * 256}, tokens.NO_SUBJECT),
    "no tenant": ({"tenant": None}, tokens.NO_TENANT),
    "an empty tenant": ({"tenant": ""}, tokens.NO_TENANT),
    "a tenant of blanks": ({"tenant": "  "}, tokens.NO_TENANT),
    "a tenant that is a list": ({"tenant": ["acme"]}, tokens.NO_TENANT),
    "a tenant that is half a character": ({"tenant": "acme\ud800"}, tokens.NO_TENANT),
    "a tenant with a NUL": ({"tenant": "acme\x00"}, tokens.NO_TENANT),
    "a tenant that is too long": ({"tenant": "a" * 201}, tokens.NO_TENANT),
    "no roles": ({"roles": None}, tokens.NO_ROLE),
    "roles nobody knows": ({"roles": ["root", {"name": "owner"}, 7]}, tokens.NO_ROLE),
    "roles in an object": ({"roles": {"owner": True}}, tokens.NO_ROLE),
    "an agent without a name": ({"roles": "agent"}, tokens.NO_AGENT),
    "an agent with another kind's id": ({"roles": "agent", "agent": f"con_{AGENT.hex}"}, tokens.NO_AGENT),
    "an agent with a strange id": ({"roles": "agent", "agent": "agt_" + "0_" * 16}, tokens.NO_AGENT),
}


@pytest.mark.parametrize(("changes", "sentence"), UNFIT_CLAIMS.values(), ids=UNFIT_CLAIMS)
async def test_a_token_with_unfit_claims_is_refused(changes: dict[str, object], sentence: str) -> None:
    assert await sentence_for(signed(claims(**changes))) == sentence


#: Put together wrongly, or signed with what is not the issuer's key.
FORGED: dict[str, tuple[Callable[[], str], str]] = {
    "garbage": (lambda: "garbage", tokens.MALFORMED),
    "three dots": (lambda: "...", tokens.MALFORMED),
    "two parts": (lambda: "eyJhbGciOiJFUzI1NiJ9.e30", tokens.MALFORMED),
    "an encrypted token": (lambda: "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d", tokens.MALFORMED),
    "a header that is a list": (lambda: assembled(["alg"], claims()), tokens.MALFORMED),
    "a header that is text": (lambda: assembled("alg b64", claims()), tokens.MALFORMED),
    "a header without an algorithm": (lambda: assembled({"typ": "JWT"}, claims()), tokens.MALFORMED),
    "a key id that is a number": (lambda: assembled({"alg": "ES256", "kid": 7}, claims()), tokens.MALFORMED),
    "claims that are a list": (lambda: signed(b"[]"), tokens.MALFORMED),
    "claims that are not JSON": (lambda: signed(b"{"), tokens.MALFORMED),
    "claims nested without end": (lambda: signed(b"[" * 5000), tokens.MALFORMED),
    "claims that are not text": (lambda: signed(b'{"iss": "\xff"}'), tokens.MALFORMED),
    "a number of 5,000 digits": (lambda: signed(b'{"exp": ' + b"9" * 5000 + b"}"), tokens.MALFORMED),
    "algorithm none": (lambda: assembled({"alg": "none"}, claims()), tokens.WRONG_ALGORITHM),
    "algorithm None": (lambda: assembled({"alg": "None"}, claims()), tokens.WRONG_ALGORITHM),
    "an algorithm that is a list": (lambda: assembled({"alg": ["ES256"]}, claims()), tokens.WRONG_ALGORITHM),
    "HS256 with the public key's text": (
        lambda: signed_with_public_key(claims(), RSAKey.import_key(key_of("RS256").as_dict()).as_pem()),
        tokens.WRONG_ALGORITHM,
    ),
    "HS256 with the published key": (
        lambda: signed_with_public_key(claims(), json.dumps(key_of("RS256").as_dict()).encode()),
        tokens.WRONG_ALGORITHM,
    ),
    "an extension that must be understood": (
        lambda: assembled({"alg": "ES256", "crit": ["x"], "x": 1}, claims()),
        tokens.CRITICAL,
    ),
    "no signature": (lambda: assembled({"alg": "ES256", "kid": "ES256"}, claims()), tokens.BAD_SIGNATURE),
    "somebody's own key": (
        lambda: signed(claims(), key=ECKey.generate_key("P-256"), kid="ES256"),
        tokens.BAD_SIGNATURE,
    ),
    "somebody's own key, enclosed": (
        lambda: signed(claims(), key=(own := ECKey.generate_key("P-256")), jwk=own.as_dict(private=False)),
        tokens.BAD_SIGNATURE,
    ),
    "an unknown key id": (lambda: signed(claims(), kid="unheard-of"), tokens.BAD_SIGNATURE),
    "another key's id": (lambda: signed(claims(), kid="RS256"), tokens.BAD_SIGNATURE),
    "a changed payload": (
        lambda: ".".join(
            [
                (parts := signed(claims()).split("."))[0],
                assembled({}, claims(tenant="other")).split(".")[1],
                parts[2],
            ]
        ),
        tokens.BAD_SIGNATURE,
    ),
    "the type of an ID token of some issuers": (lambda: signed(claims(), typ="id+jwt"), tokens.NOT_FOR_ACCESS),
    "a logout token": (lambda: signed(claims(), typ="logout+jwt"), tokens.NOT_FOR_ACCESS),
    "a type that is a number": (lambda: assembled({"alg": "ES256", "typ": 7}, claims()), tokens.NOT_FOR_ACCESS),
}


@pytest.mark.parametrize(("forge", "sentence"), FORGED.values(), ids=FORGED)
async def test_a_forged_token_is_refused(forge: Callable[[], str], sentence: str) -> None:
    assert await sentence_for(forge()) == sentence


async def test_what_a_token_says_is_not_told_before_its_signature_holds() -> None:
    mallory = ECKey.generate_key("P-256")
    for changes, sentence in UNFIT_CLAIMS.values():
        if sentence != tokens.UNKNOWN_ISSUER:
            assert await sentence_for(signed(claims(**changes), key=mallory)) == tokens.BAD_SIGNATURE


@pytest.mark.parametrize("far", [SECONDS + 10**11, 10**400, float("inf")])
async def test_an_expiry_beyond_all_calendars_is_fine(far: float) -> None:
    caller = await TOKENS.read(signed(claims(exp=far)), NOW)
    assert caller.expires_at is not None
    assert caller.expires_at > NOW


async def test_clocks_may_differ_by_half_a_minute_at_the_beginning() -> None:
    assert (await TOKENS.read(signed(claims(iat=SECONDS + 30, nbf=SECONDS + 29.5)), NOW)).subject == "ada"


async def test_a_token_may_leave_out_when_it_was_issued() -> None:
    assert (await TOKENS.read(signed(claims(iat=None)), NOW)).subject == "ada"


async def test_one_of_several_audiences_is_enough() -> None:
    assert (await TOKENS.read(signed(claims(aud=["https://elsewhere.example", AUDIENCE])), NOW)).subject == "ada"


async def test_unknown_roles_beside_known_ones_are_ignored() -> None:
    caller = await TOKENS.read(signed(claims(roles=["offline_access", "auditor", "member"])), NOW)
    assert caller.roles == {Role.AUDITOR, Role.MEMBER}


@pytest.mark.parametrize(
    ("setting", "claim"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["admin"]}}),
        ("https://mandate.example/roles", {"https://mandate.example/roles": "admin"}),
    ],
)
async def test_roles_are_found_where_the_setting_says(setting: str, claim: dict[str, object]) -> None:
    reader = AccessTokens([trusted(roles_claim=setting)])
    caller = await reader.read(signed(claims(roles=None, **claim)), NOW)
    assert caller.roles == {Role.ADMIN}


@pytest.mark.parametrize("realm", ["admin", ["admin"], None])
async def test_a_path_that_leads_nowhere_gives_no_role(realm: object) -> None:
    reader = AccessTokens([trusted(roles_claim="realm_access.roles")])
    assert await sentence_for(signed(claims(realm_access=realm)), reader) == tokens.NO_ROLE


async def test_an_agent_by_token_is_that_agent_and_nothing_else() -> None:
    caller = await TOKENS.read(signed(claims(roles=["agent", "owner"], agent=f"agt_{AGENT.hex}")), NOW)
    assert (caller.agent_id, caller.roles) == (AGENT, frozenset({Role.AGENT}))
    assert not caller.may("createGrant")


async def test_a_person_does_not_become_an_agent_by_naming_one() -> None:
    caller = await TOKENS.read(signed(claims(agent=f"agt_{AGENT.hex}")), NOW)
    assert caller.agent_id is None


async def test_a_header_with_members_nobody_knows_is_fine() -> None:
    assert (await TOKENS.read(signed(claims(), x5t="dGh1bWI", nonce="of-the-header"), NOW)).subject == "ada"


async def test_without_a_key_id_the_only_key_that_fits_is_taken() -> None:
    assert (await TOKENS.read(signed(claims(), kid=None), NOW)).subject == "ada"


async def test_without_a_key_id_there_is_no_guessing_among_several() -> None:
    pair = [ECKey.generate_key("P-256", {"kid": name}) for name in ("one", "two")]
    reader = AccessTokens([trusted(FixedKeys({"keys": [key.as_dict(private=False) for key in pair]}))])
    assert await sentence_for(signed(claims(), key=pair[0], kid=None), reader) == tokens.BAD_SIGNATURE
    assert (await reader.read(signed(claims(), key=pair[0], kid="one"), NOW)).subject == "ada"


async def test_a_key_is_used_for_the_algorithm_it_was_published_for() -> None:
    key = RSAKey.import_key(key_of("RS256").as_dict(private=True), {"alg": "PS256"})
    reader = AccessTokens([trusted(FixedKeys({"keys": [key.as_dict(private=False)]}))])
    assert await sentence_for(signed(claims(), "RS256"), reader) == tokens.BAD_SIGNATURE


async def test_one_issuers_key_does_not_sign_for_another() -> None:
    own = OKPKey.generate_key("Ed25519", {"kid": "EdDSA"})
    other = tokens.TrustedIssuer(
        "https://other.example", AUDIENCE, "tenant", "roles", FixedKeys({"keys": [own.as_dict(private=False)]})
    )
    reader = AccessTokens([trusted(), other])
    assert (await reader.read(signed(claims(iss="https://other.example"), "EdDSA", key=own), NOW)).subject == "ada"
    assert await sentence_for(signed(claims(), "EdDSA", key=own), reader) == tokens.BAD_SIGNATURE


def test_one_issuer_cannot_be_trusted_in_two_ways() -> None:
    with pytest.raises(Misconfigured):
        AccessTokens([trusted(), trusted(FixedKeys(published()))])
