"""What an outcome is called: the difference between "it did not happen" and "nobody knows"."""

from datetime import timedelta

import pytest

from domain.catalogue import Effect
from domain.errors import (
    AlreadyThere,
    AnswerGarbled,
    AnswerLost,
    Forbidden,
    NotSent,
    NotThere,
    ProviderProblem,
    ReconnectNeeded,
    Rejected,
    ScopeMissing,
    SlowDown,
    Unavailable,
)
from domain.executions import ExecutionStatus, lost_track, outcome_of, succeeded
from tests.support.nouns import NOW, SampleAction

FAILED, UNKNOWN = ExecutionStatus.FAILED, ExecutionStatus.UNKNOWN

#: The problem; how reading, writing and an idempotent write end; whether each may be tried again as it is.
TABLE: list[tuple[ProviderProblem, str, tuple[ExecutionStatus, ...], tuple[bool, ...]]] = [
    (Rejected("no"), "PROVIDER_REJECTED", (FAILED, FAILED, FAILED), (False, False, False)),
    (NotThere("no"), "PROVIDER_NOT_FOUND", (FAILED, FAILED, FAILED), (False, False, False)),
    (AlreadyThere("no"), "PROVIDER_CONFLICT", (FAILED, FAILED, FAILED), (False, False, False)),
    (Forbidden("no"), "PROVIDER_FORBIDDEN", (FAILED, FAILED, FAILED), (False, False, False)),
    (ReconnectNeeded("no"), "RECONNECT_REQUIRED", (FAILED, FAILED, FAILED), (False, False, False)),
    (ScopeMissing("no"), "SCOPE_MISSING", (FAILED, FAILED, FAILED), (False, False, False)),
    (SlowDown("no"), "PROVIDER_RATE_LIMITED", (FAILED, FAILED, FAILED), (True, True, True)),
    (NotSent("no"), "PROVIDER_UNREACHABLE", (FAILED, FAILED, FAILED), (True, True, True)),
    (Unavailable("no"), "PROVIDER_UNAVAILABLE", (FAILED, UNKNOWN, UNKNOWN), (True, False, True)),
    (AnswerLost("no"), "TIMED_OUT", (FAILED, UNKNOWN, UNKNOWN), (True, False, True)),
    (AnswerGarbled("no"), "PROVIDER_ANSWER_INVALID", (FAILED, UNKNOWN, UNKNOWN), (False, False, False)),
]
READ = SampleAction("harbour.look")
WRITE = SampleAction("harbour.moor", Effect.WRITE)
REPEATABLE = SampleAction("harbour.paint", Effect.DESTRUCTIVE, is_idempotent=True)


@pytest.mark.parametrize(("problem", "code", "ends", "again"), TABLE, ids=[type(row[0]).__name__ for row in TABLE])
def test_a_problem_has_one_name_for_each_effect(
    problem: ProviderProblem, code: str, ends: tuple[ExecutionStatus, ...], again: tuple[bool, ...]
) -> None:
    for action, status, is_retryable in zip((READ, WRITE, REPEATABLE), ends, again, strict=True):
        outcome = outcome_of(action, problem)
        assert outcome.error is not None
        assert (outcome.status, outcome.error.code, outcome.error.is_retryable) == (status, code, is_retryable)


@pytest.mark.parametrize("problem", [row[0] for row in TABLE], ids=[type(row[0]).__name__ for row in TABLE])
def test_who_does_not_know_says_what_to_check_and_who_knows_does_not(problem: ProviderProblem) -> None:
    for action in (READ, WRITE, REPEATABLE):
        outcome = outcome_of(action, problem)
        assert (outcome.what_to_check is not None) is (outcome.status is UNKNOWN)


@pytest.mark.parametrize("problem", [row[0] for row in TABLE], ids=[type(row[0]).__name__ for row in TABLE])
def test_only_a_refused_credential_asks_for_a_person(problem: ProviderProblem) -> None:
    assert outcome_of(WRITE, problem).needs_reconnect is isinstance(problem, ReconnectNeeded)


def test_every_problem_is_in_the_table() -> None:
    assert {type(row[0]) for row in TABLE} == set(ProviderProblem.__subclasses__())


def test_an_error_carries_the_status_and_the_time_to_wait_for() -> None:
    at = NOW + timedelta(seconds=30)
    error = outcome_of(READ, SlowDown("Wait.", status=429, retry_at=at)).error
    assert error is not None
    assert (error.message, error.provider_status, error.retry_at) == ("Wait.", 429, at)


def test_a_result_is_a_success() -> None:
    outcome = succeeded({"a": 1})
    assert (outcome.status, outcome.result, outcome.error) == (ExecutionStatus.SUCCEEDED, {"a": 1}, None)


@pytest.mark.parametrize("effect", Effect)
def test_a_run_we_lost_track_of_has_failed_only_when_it_was_reading(effect: Effect) -> None:
    outcome = lost_track(effect, "Look into the harbour.")
    assert outcome.error is not None
    is_reading = effect is Effect.READ
    assert outcome.status is (FAILED if is_reading else UNKNOWN)
    assert outcome.error.is_retryable is is_reading
    assert outcome.what_to_check == (None if is_reading else "Look into the harbour.")
    assert outcome.error.code == "INTERNAL"
