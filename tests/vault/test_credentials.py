import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.catalogue import AuthScheme, Credential
from domain.errors import CredentialUnreadable
from domain.secrets import Secret
from vault.credentials import CredentialVault
from vault.envelope import Envelope
from vault.master_keys import KEY_BYTES, LocalMasterKeys

ROW, OTHER_ROW = UUID(int=1), UUID(int=2)
ENVELOPE = Envelope(LocalMasterKeys({"k1": b"m" * KEY_BYTES}))
VAULT = CredentialVault(ENVELOPE)
CREDENTIAL = Credential(
    AuthScheme.OAUTH2, {"access_token": Secret("canary-1"), "refresh_token": Secret("canary-ü")}, {"team": "T1"}
)

texts = st.text(max_size=20)


@given(st.sampled_from(AuthScheme), st.dictionaries(texts, texts.map(Secret)), st.dictionaries(texts, texts))
async def test_a_credential_comes_out_as_it_went_in(
    scheme: AuthScheme, secrets: dict[str, Secret], facts: dict[str, str]
) -> None:
    credential = Credential(scheme, secrets, facts)
    sealed = await VAULT.seal_credential(await VAULT.new_key("acme"), "acme", ROW, 3, credential)
    assert sealed.version == 3
    assert await VAULT.open_credential("acme", ROW, sealed) == credential


async def test_nothing_of_it_is_readable_while_sealed() -> None:
    sealed = await VAULT.seal_credential(await VAULT.new_key("acme"), "acme", ROW, 1, CREDENTIAL)
    for part in (b"canary", b"access_token", b"T1", b"OAUTH2"):
        assert part not in sealed.ciphertext
    assert "canary" not in repr(CREDENTIAL)


async def test_a_credential_belongs_to_one_connection() -> None:
    sealed = await VAULT.seal_credential(await VAULT.new_key("acme"), "acme", ROW, 1, CREDENTIAL)
    with pytest.raises(CredentialUnreadable):
        await VAULT.open_credential("acme", OTHER_ROW, sealed)


async def test_a_verifier_comes_out_as_it_went_in_and_is_no_credential() -> None:
    sealed = await VAULT.seal_verifier(await VAULT.new_key("acme"), "acme", ROW, Secret("v" * 43))
    assert await VAULT.open_verifier("acme", ROW, sealed) == Secret("v" * 43)
    with pytest.raises(CredentialUnreadable):
        await VAULT.open_credential("acme", ROW, sealed)


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b'"canary"',
        b"{}",
        json.dumps({"scheme": "OAUTH2", "secrets": [], "facts": {}}).encode(),
        json.dumps({"scheme": "OAUTH2", "secrets": {"a": "canary"}, "facts": None}).encode(),
        json.dumps({"scheme": "OAUTH2", "secrets": {"a": "canary"}, "facts": ["canary"]}).encode(),
        json.dumps({"scheme": "canary", "secrets": {}, "facts": {}}).encode(),
        json.dumps({"scheme": ["canary"], "secrets": {}, "facts": {}}).encode(),
    ],
)
async def test_a_form_this_version_does_not_read_is_unreadable_and_not_shown(plain: bytes) -> None:
    key = await VAULT.new_key("acme")
    sealed = await ENVELOPE.seal(key, plain, purpose="credential", tenant="acme", subject=ROW, version=1)
    with pytest.raises(CredentialUnreadable) as refused:
        await VAULT.open_credential("acme", ROW, sealed)
    assert refused.value.message == "A sealed credential is not in a form this version reads."
