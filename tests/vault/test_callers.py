"""Promise A4: what every door asks refuses bad tokens, says why in fixed words, and repeats nothing of them."""

import base64
import string
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import KeySet

from domain.agents import KeyRecord
from domain.callers import Role
from domain.errors import DependencyDown, Unauthenticated
from domain.ids import new_id
from tests.vault.issuing import NOW, assembled, claims, published, signed, trusted
from vault import callers, tokens
from vault.agent_keys import AgentKeys
from vault.callers import Authenticator, CheckedTokens
from vault.development import DevelopmentIssuer
from vault.jwks import FixedKeys, RemoteKeys
from vault.tokens import AccessTokens

KEYS = AgentKeys(b"p" * 32)


class Door:
    """An authenticator with a clock and a table of agents' keys that a test can change."""

    def __init__(self, *more: tokens.TrustedIssuer, source: FixedKeys | RemoteKeys | None = None) -> None:
        self.now = NOW
        self.kept: dict[UUID, KeyRecord] = {}
        self.lookups = 0
        self.opened = Authenticator(KEYS, self.find, AccessTokens([trusted(source), *more]), lambda: self.now)

    async def find(self, id: UUID) -> KeyRecord | None:
        self.lookups += 1
        return self.kept.get(id)

    def agent_key(self, tenant: str = "acme", expires_at: datetime | None = None) -> tuple[str, KeyRecord]:
        minted = KEYS.mint(new_id())
        presented = KEYS.recognise(minted.token.reveal())
        assert presented is not None
        record = KeyRecord(presented.id, tenant, new_id(), minted.digest, expires_at, None)
        self.kept[record.id] = record
        return minted.token.reveal(), record

    async def refusal(self, authorization: str | None, *, is_local: bool = False) -> Unauthenticated:
        with pytest.raises(Unauthenticated) as refusal:
            await self.opened.authenticate(authorization, is_local=is_local)
        return refusal.value


JWT = signed(claims())


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  ", "\tBearer"])
async def test_the_scheme_is_written_as_one_likes(scheme: str) -> None:
    caller = await Door().opened.authenticate(f"{scheme} {JWT}", is_local=False)
    assert caller.subject == "ada"


REFUSED: dict[str, tuple[str | None, str]] = {
    "none": (None, callers.NOTHING_SENT),
    "empty": ("", callers.NOTHING_SENT),
    "a scheme alone": ("Bearer", callers.NOTHING_SENT),
    "a scheme and blanks": ("Bearer   ", callers.NOTHING_SENT),
    "another scheme": (f"Basic {JWT}", callers.OTHER_SCHEME),
    "no scheme": (JWT, callers.OTHER_SCHEME),
    "two tokens": (f"Bearer {JWT} {JWT}", callers.TWO_TOKENS),
    "two headers made one": (f"Bearer {JWT}, Bearer {JWT}", callers.TWO_TOKENS),
    "100 kB": (f"Bearer {'a' * 100_000}", callers.TOO_LONG),
    "8 KiB and one more": (f"Bearer {'a' * 8193}", callers.TOO_LONG),
    "garbage": ("Bearer garbage", tokens.MALFORMED),
    "8 KiB of garbage": (f"Bearer {'a' * 8192}", tokens.MALFORMED),
    "letters no token has": ("Bearer tökén", tokens.MALFORMED),
    "a line break": (f"Bearer {JWT}\nX-Other: 1", callers.TWO_TOKENS),
    "algorithm none": (f"Bearer {assembled({'alg': 'none'}, claims())}", tokens.WRONG_ALGORITHM),
    "expired": (f"Bearer {signed(claims(exp=1))}", tokens.EXPIRED),
    "an unknown key id": (f"Bearer {signed(claims(), kid='unheard-of')}", tokens.BAD_SIGNATURE),
    "half an agent's key": ("Bearer mnd_0192", callers.MISTYPED_KEY),
}


@pytest.mark.parametrize(("authorization", "sentence"), REFUSED.values(), ids=REFUSED)
async def test_what_is_not_a_good_token_is_refused(authorization: str | None, sentence: str) -> None:
    door = Door()
    assert (await door.refusal(authorization, is_local=True)).message == sentence
    assert door.lookups == 0


async def test_an_agents_key_gives_the_agent() -> None:
    door = Door()
    key, record = door.agent_key(expires_at=NOW + timedelta(days=1))
    caller = await door.opened.authenticate(f"Bearer {key}", is_local=False)
    assert (caller.tenant, caller.roles) == ("acme", frozenset({Role.AGENT}))
    assert (caller.agent_id, caller.token_id) == (record.agent_id, record.id)
    assert caller.subject == f"agt_{record.agent_id.hex}"
    assert caller.expires_at == record.expires_at


async def test_a_mistyped_key_is_refused_without_a_database() -> None:
    door = Door()
    key, _ = door.agent_key()
    wrong = key[:50] + ("A" if key[50] != "A" else "B") + key[51:]
    assert (await door.refusal(f"Bearer {wrong}")).message == callers.MISTYPED_KEY
    assert door.lookups == 0


async def test_a_key_nobody_made_is_refused() -> None:
    stranger = KEYS.mint(new_id()).token.reveal()
    assert (await Door().refusal(f"Bearer {stranger}")).message == callers.UNKNOWN_KEY


async def test_another_tenants_key_id_with_a_secret_of_ones_own_is_refused_like_an_unknown_one() -> None:
    door = Door()
    _, theirs = door.agent_key(tenant="other")
    forged = KEYS.mint(theirs.id).token.reveal()
    assert (await door.refusal(f"Bearer {forged}")).message == callers.UNKNOWN_KEY
    assert door.lookups == 1


async def test_a_key_from_under_another_pepper_is_refused() -> None:
    door = Door()
    _, record = door.agent_key()
    forged = AgentKeys(b"q" * 32).mint(record.id).token.reveal()
    assert (await door.refusal(f"Bearer {forged}")).message == callers.UNKNOWN_KEY


async def test_a_revoked_key_stops_at_once() -> None:
    door = Door()
    key, record = door.agent_key()
    await door.opened.authenticate(f"Bearer {key}", is_local=False)
    door.kept[record.id] = replace(record, revoked_at=NOW)
    assert (await door.refusal(f"Bearer {key}")).message == callers.REVOKED_KEY


async def test_a_key_ends_when_it_says() -> None:
    door = Door()
    key, _ = door.agent_key(expires_at=NOW + timedelta(seconds=1))
    await door.opened.authenticate(f"Bearer {key}", is_local=False)
    door.now += timedelta(seconds=1)
    assert (await door.refusal(f"Bearer {key}")).message == callers.EXPIRED_KEY


async def test_a_silent_database_is_not_a_bad_key() -> None:
    async def unreachable(id: UUID) -> KeyRecord | None:
        raise DependencyDown("The database does not answer.")

    opened = Authenticator(KEYS, unreachable, AccessTokens([]))
    with pytest.raises(DependencyDown):
        await opened.authenticate(f"Bearer {KEYS.mint(new_id()).token.reveal()}", is_local=False)


async def test_a_development_token_counts_on_this_machine_only_however_often_it_was_good(tmp_path: Path) -> None:
    issuer = DevelopmentIssuer(tmp_path / "key.pem")
    door = Door(issuer.trusted())
    door.now = datetime.now(UTC)
    token = issuer.issue("acme", "ada", [Role.OWNER])
    for _ in range(2):
        assert (await door.opened.authenticate(f"Bearer {token}", is_local=True)).subject == "ada"
        assert (await door.refusal(f"Bearer {token}", is_local=False)).message == tokens.ELSEWHERE


class CountedKeys(FixedKeys):
    """Counts how often a signature is about to be checked."""

    asked = 0

    async def key_set(self, kid: str | None) -> KeySet:
        self.asked += 1
        return await super().key_set(kid)


async def test_a_checked_token_is_not_checked_again_for_a_minute() -> None:
    source = CountedKeys(published())
    door = Door(source=source)
    token = f"Bearer {signed(claims())}"
    for _ in range(3):
        await door.opened.authenticate(token, is_local=False)
    assert source.asked == 1
    door.now += timedelta(seconds=60)
    await door.opened.authenticate(token, is_local=False)
    assert source.asked == 2


async def test_a_checked_token_still_ends_when_it_says() -> None:
    door = Door()
    token = f"Bearer {signed(claims(exp=int(NOW.timestamp()) + 30))}"
    await door.opened.authenticate(token, is_local=False)
    door.now += timedelta(seconds=30)
    assert (await door.refusal(token)).message == tokens.EXPIRED


async def test_a_token_that_differs_in_its_signature_alone_is_another_token() -> None:
    door = Door()
    token = signed(claims())
    await door.opened.authenticate(f"Bearer {token}", is_local=False)
    unsigned = token.rpartition(".")[0]
    assert (await door.refusal(f"Bearer {unsigned}.AAAA")).message == tokens.BAD_SIGNATURE


async def test_only_so_many_checked_tokens_are_remembered() -> None:
    checked = CheckedTokens()
    caller = await Door().opened.authenticate(f"Bearer {JWT}", is_local=False)
    for number in range(CheckedTokens.SIZE + 1):
        checked.keep(str(number), caller, NOW, is_local=False)
        assert checked.recall("0", NOW, is_local=False) or number == CheckedTokens.SIZE
    kept = [number for number in range(CheckedTokens.SIZE + 1) if checked.recall(str(number), NOW, is_local=False)]
    assert len(kept) == CheckedTokens.SIZE
    assert 1 not in kept
    assert checked.recall("5", NOW - timedelta(seconds=1), is_local=False) is None


#: Every sentence there is to be refused with.
SENTENCES = {
    value
    for module in (callers, tokens)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str) and " " in value
}


# ----------------------------------------------------------------------------------- nothing of a token is repeated


def pieces_of(text: str) -> set[str]:
    """Every run of eight characters: less than that is no part of a secret but a coincidence."""
    return {text[start : start + 8] for start in range(len(text) - 7)}


def told(error: BaseException | None) -> str:
    """All that a log could show of an error: the messages and arguments of the whole chain, and its traceback."""
    shown = ""
    while error is not None:
        shown += "".join(traceback.format_exception(error, chain=False)) + repr(error) + repr(vars(error))
        error = error.__cause__ or error.__context__
    return shown


URL_SAFE = string.ascii_letters + string.digits + "-_"


def spoiled(token: str) -> st.SearchStrategy[str]:
    """A token with one character changed, cut off, or doubled somewhere."""
    place = st.integers(0, len(token) - 1)
    letter = st.sampled_from(URL_SAFE + ". ,\n=é")
    return st.builds(lambda at, put: token[:at] + put + token[at + 1 :], place, letter) | place.map(
        lambda at: token[:at]
    )


TOKENS = (
    st.binary(min_size=20, max_size=200).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
    | st.binary(min_size=20, max_size=60).map(lambda raw: assembled({"alg": "ES256", "kid": raw.hex()}, raw))
    | st.text(min_size=20, max_size=60).map(lambda text: signed(claims(iss=text, sub=text), kid=text))
    | st.text(min_size=20, max_size=60).map(lambda text: signed(claims(tenant=text + "\n", roles=text)))
    | spoiled(signed(claims()))
    | spoiled(KEYS.mint(new_id()).token.reveal())
)


@given(token=TOKENS, scheme=st.sampled_from(["Bearer ", "Basic ", "", "Bearer x "]))
async def test_no_refusal_repeats_any_part_of_a_token(token: str, scheme: str) -> None:
    door = Door()
    refusal = await _refusal_of(door, scheme + token)
    shown = repr(door.opened) + repr(door.opened._checked) + repr(vars(door.opened._checked))
    if refusal is not None:
        assert refusal.message in SENTENCES
        assert refusal.__cause__ is None
        shown += told(refusal)
    assert not [piece for piece in pieces_of(token) if piece in shown]


async def _refusal_of(door: Door, authorization: str) -> Unauthenticated | None:
    try:
        await door.opened.authenticate(authorization, is_local=False)
    except Unauthenticated as refusal:
        return refusal
    return None
