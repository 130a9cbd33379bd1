"""A service that refuses the credential is asked again with a renewed one: once, and only if nothing was done yet."""

import pytest

from domain.catalogue import AuthScheme, CallSetting, Credential
from domain.connections import ConnectionStatus
from domain.errors import NotSent, ReconnectNeeded
from domain.executions import ExecutionStatus
from domain.json import Json
from domain.secrets import Secret
from tests.execution.stage import TENANT, Stage

OTHER = Credential(AuthScheme.OAUTH2, {"access_token": Secret("renewed")}, {})


def _refusing(stage: Stage, *, but: Credential | None = None, has_acted: bool = False) -> list[Credential]:
    """The service refuses every credential but this one; those it saw."""
    seen: list[Credential] = []

    async def deed(parameters: Json, setting: CallSetting) -> Json:
        seen.append(setting.credential)
        if setting.credential == but:
            return {"fine": True}
        refused = ReconnectNeeded("Harbour no longer accepts the credential.", status=401)
        refused.may_have_happened = has_acted
        raise refused

    stage.deed = deed
    return seen


@pytest.mark.parametrize("action", ["harbour.look", "harbour.moor", "harbour.sink"])
async def test_with_renewed_access_it_goes_on(stage: Stage, action: str) -> None:
    stage.vault.other = OTHER
    seen = _refusing(stage, but=OTHER)
    done = await stage.execute(action)
    assert done.status is ExecutionStatus.SUCCEEDED
    assert len(seen) == 2
    assert stage.ledger.connection(TENANT, stage.connection.id).status is ConnectionStatus.ACTIVE


async def test_a_second_refusal_is_believed(stage: Stage) -> None:
    stage.vault.other = OTHER
    seen = _refusing(stage)
    done = await stage.execute()
    assert (done.status, done.error.code if done.error else None) == (ExecutionStatus.FAILED, "RECONNECT_REQUIRED")
    assert len(seen) == 2
    assert stage.ledger.connection(TENANT, stage.connection.id).status is ConnectionStatus.EXPIRED


async def test_without_another_credential_the_refusal_is_believed(stage: Stage) -> None:
    seen = _refusing(stage)
    await stage.execute()
    assert len(seen) == 1
    assert stage.ledger.connection(TENANT, stage.connection.id).status is ConnectionStatus.EXPIRED


async def test_what_may_have_been_done_is_not_done_again(stage: Stage) -> None:
    """It was refused at its second step: the first one has happened."""
    stage.vault.other = OTHER
    seen = _refusing(stage, but=OTHER, has_acted=True)
    done = await stage.execute("harbour.moor")
    assert done.status is ExecutionStatus.UNKNOWN
    assert len(seen) == 1


async def test_a_renewal_that_is_not_to_be_had_just_now_leaves_the_connection_alone(stage: Stage) -> None:
    stage.vault.other = NotSent("Harbour is in trouble and did not renew the access.")
    _refusing(stage)
    done = await stage.execute(deadline_seconds=1)
    assert (done.status, done.error.is_retryable if done.error else None) == (ExecutionStatus.FAILED, True)
    assert stage.ledger.connection(TENANT, stage.connection.id).status is ConnectionStatus.ACTIVE


async def test_a_credential_that_has_to_be_renewed_first_and_cannot_be_sends_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fresh(*_: object, **__: object) -> Credential:
        raise NotSent("Harbour is in trouble and did not renew the access. Nothing was sent; try again.")

    monkeypatch.setattr(stage.vault, "fresh", fresh)
    done = await stage.execute(deadline_seconds=1)
    assert (done.status, done.error.code if done.error else None) == (ExecutionStatus.FAILED, "PROVIDER_UNREACHABLE")
    assert "run" not in stage.steps
    assert stage.ledger.connection(TENANT, stage.connection.id).status is ConnectionStatus.ACTIVE
