from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.callers import Role
from domain.errors import InvalidInput, Misconfigured, Unauthenticated
from vault import tokens
from vault.development import DevelopmentIssuer
from vault.tokens import AccessTokens


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new" / "development.pem"


async def test_its_tokens_are_read_on_this_machine(file: Path) -> None:
    issuer = DevelopmentIssuer(file)
    reader = AccessTokens([issuer.trusted()])
    now = datetime.now(UTC)
    caller = await reader.read(issuer.issue("acme", "ada", [Role.OWNER, Role.AUDITOR]), now, is_local=True)
    assert (caller.tenant, caller.subject, caller.roles) == ("acme", "ada", frozenset({Role.OWNER, Role.AUDITOR}))
    assert caller.expires_at is not None
    assert timedelta(hours=11, minutes=59) < caller.expires_at - now <= timedelta(hours=12)


async def test_its_tokens_are_refused_from_elsewhere(file: Path) -> None:
    issuer = DevelopmentIssuer(file)
    with pytest.raises(Unauthenticated, match="only from the machine") as refusal:
        await AccessTokens([issuer.trusted()]).read(issuer.issue("acme", "ada", [Role.OWNER]), datetime.now(UTC))
    assert refusal.value.message == tokens.ELSEWHERE


async def test_a_gateway_without_development_mode_does_not_know_it(file: Path) -> None:
    token = DevelopmentIssuer(file).issue("acme", "ada", [Role.OWNER])
    with pytest.raises(Unauthenticated) as refusal:
        await AccessTokens([]).read(token, datetime.now(UTC), is_local=True)
    assert refusal.value.message == tokens.UNKNOWN_ISSUER


async def test_a_token_outlives_the_process_that_issued_it(file: Path) -> None:
    token = DevelopmentIssuer(file).issue("acme", "ada", [Role.MEMBER])
    later = AccessTokens([DevelopmentIssuer(file).trusted()])
    assert (await later.read(token, datetime.now(UTC), is_local=True)).subject == "ada"


def test_the_key_file_is_for_its_owner_only(file: Path) -> None:
    DevelopmentIssuer(file).trusted()
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_file_that_others_can_read_is_refused(file: Path, mode: int) -> None:
    DevelopmentIssuer(file).trusted()
    file.chmod(mode)
    with pytest.raises(Misconfigured, match="chmod 600"):
        DevelopmentIssuer(file).trusted()


@pytest.mark.parametrize(
    "content", ["", "something else", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_key_file_with_something_else_is_refused(file: Path, content: str) -> None:
    file.parent.mkdir()
    file.touch(mode=0o600)
    file.write_text(content)
    with pytest.raises(Misconfigured, match="does not hold a private key"):
        DevelopmentIssuer(file).issue("acme", "ada", [Role.OWNER])


def test_names_no_token_may_carry_are_refused_when_issuing(file: Path) -> None:
    issuer = DevelopmentIssuer(file)
    for tenant, subject in [("", "ada"), ("acme", " "), ("acme\n", "ada"), ("a" * 201, "ada")]:
        with pytest.raises(InvalidInput):
            issuer.issue(tenant, subject, [Role.OWNER])
