"""Everything that can go wrong, by what the receiver should do next.

MandateError
  ├─ Unauthenticated          no caller we know: get a token first
  ├─ Refusal                  expected; answered as data, with the remedy
  │    ├─ InvalidInput        an input field is not acceptable
  │    ├─ InvalidParameters   an action's parameters are not acceptable: all mistakes at once
  │    ├─ NotFound            no such thing, or not yours: the two look alike
  │    ├─ Conflict            it contradicts what is already there
  │    ├─ PermissionDenied    no rule allows it; names the rule that decided
  │    ├─ ConnectionRequired  a person must connect, choose or renew an account
  │    ├─ BudgetExceeded      the grant's budget is used up, for today or for good
  │    ├─ RateLimited         too much at once: wait until `retry_at`
  │    └─ ProviderRefused     the service said no while we connected, tested or disconnected
  ├─ ProviderProblem          what a service did to one call; becomes the execution's error
  │    ├─ Rejected · NotThere · Forbidden · AlreadyThere    the request must change
  │    ├─ ReconnectNeeded · ScopeMissing                    a person must renew the connection
  │    ├─ SlowDown                                          wait until `retry_at`
  │    ├─ Unavailable · NotSent                             nothing happened there: try again later
  │    └─ AnswerLost · AnswerGarbled                        it may have happened
  └─ Unavailable dependencies and our own faults
       ├─ DependencyDown      PostgreSQL does not answer: nothing was accepted
       ├─ SlowSubscriber      events were not taken as fast as they happened: resume from the last cursor
       ├─ CredentialUnreadable  a sealed secret does not open: wrong master key, or tampered with
       └─ Misconfigured       the operator must change a setting; names it

A message is written by us, for the person who can act on it. Text that came from elsewhere never becomes part of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from domain.grants import Check


class MandateError(Exception):
    """Root of all errors Mandate raises on purpose."""

    code = "INTERNAL"
    #: Whether the message is written for callers; the others' are for the operator alone.
    is_for_callers = True

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


# ------------------------------------------------------------------------------------------------ callers


class Unauthenticated(MandateError):
    """The request carries no token we accept. The message never says more than which kind of fault it is."""

    code = "UNAUTHENTICATED"


# ------------------------------------------------------------------------------------------------ refusals


class Refusal(MandateError):
    """Something the caller, or a person, can put right. `path` leads to the offending input."""

    def __init__(self, message: str, path: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.path = tuple(path)


class InvalidInput(Refusal):
    """A field of the input is not acceptable; `path` names it."""

    code = "INVALID_INPUT"


@dataclass(frozen=True, slots=True)
class Violation:
    """One mistake: `pointer` is a JSON Pointer (RFC 6901) into the parameters."""

    pointer: str
    message: str


class InvalidParameters(Refusal):
    """The parameters break the action's schema; every mistake is in `violations`."""

    code = "INVALID_PARAMETERS"

    def __init__(self, violations: Sequence[Violation], path: Sequence[str] = ("input", "parameters")) -> None:
        count = len(violations)
        super().__init__("One parameter is wrong." if count == 1 else f"{count} parameters are wrong.", path)
        self.violations = tuple(violations)


class NotFound(Refusal):
    """There is no such thing for this caller. What belongs to another tenant is answered in the same words."""

    code = "NOT_FOUND"


class Conflict(Refusal):
    """It contradicts what is already there, e.g. an idempotency key that was used for another request."""

    code = "CONFLICT"


class PermissionDenied(Refusal):
    """No rule allows this. `reason` names the rule that decided, `checks` all that were looked at, in order."""

    code = "PERMISSION_DENIED"

    def __init__(self, message: str, reason: str, checks: "Sequence[Check]" = (), path: Sequence[str] = ()) -> None:
        super().__init__(message, path)
        self.reason = reason
        self.checks = tuple(checks)


class ConnectionRequired(Refusal):
    """A person must connect the integration, choose between accounts, or renew the connection."""

    code = "CONNECTION_REQUIRED"

    def __init__(
        self,
        message: str,
        *,
        integration: str,
        connection_id: UUID | None = None,
        missing_scopes: Sequence[str] = (),
        path: Sequence[str] = (),
    ) -> None:
        super().__init__(message, path)
        self.integration = integration
        self.connection_id = connection_id
        self.missing_scopes = tuple(missing_scopes)


class BudgetExceeded(Refusal):
    """The grant's budget is used up. `resets_at` is None when it does not come back by itself."""

    code = "BUDGET_EXCEEDED"

    def __init__(self, message: str, resets_at: datetime | None = None, path: Sequence[str] = ()) -> None:
        super().__init__(message, path)
        self.resets_at = resets_at


class RateLimited(Refusal):
    """Too many requests at once; nothing was done. Asking again at `retry_at` is admitted."""

    code = "RATE_LIMITED"

    def __init__(self, message: str, retry_at: datetime, path: Sequence[str] = ()) -> None:
        super().__init__(message, path)
        self.retry_at = retry_at


class ProviderRefused(Refusal):
    """The service did not accept what we asked while connecting, testing or disconnecting an account."""

    code = "PROVIDER_REFUSED"

    def __init__(self, message: str, problem: "ProviderProblem | None" = None, path: Sequence[str] = ()) -> None:
        super().__init__(message, path)
        self.problem = problem


# ------------------------------------------------------------------------------- what a service did to a call


class ProviderProblem(MandateError):
    """A call to a service did not succeed.

    `is_retryable` says whether the same call may succeed later without anybody changing anything.
    `may_have_happened` says that the request left and nobody knows what became of it.
    """

    code = "PROVIDER_REJECTED"
    is_retryable = False
    may_have_happened = False

    def __init__(self, message: str, *, status: int | None = None, retry_at: datetime | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_at = retry_at


class Rejected(ProviderProblem):
    """The service understood and said no: the request must change."""


class NotThere(ProviderProblem):
    """The service knows no such thing, or hides it from this account."""

    code = "PROVIDER_NOT_FOUND"


class AlreadyThere(ProviderProblem):
    """The service reports a conflict: the name is taken, or the thing changed meanwhile."""

    code = "PROVIDER_CONFLICT"


class Forbidden(ProviderProblem):
    """The account may not do this at the service."""

    code = "PROVIDER_FORBIDDEN"


class ReconnectNeeded(ProviderProblem):
    """The service no longer accepts the credential: a person must reconnect."""

    code = "RECONNECT_REQUIRED"


class ScopeMissing(ProviderProblem):
    """The credential lacks a permission: a person must reconnect and allow more."""

    code = "SCOPE_MISSING"

    def __init__(self, message: str, *, missing: Sequence[str] = (), status: int | None = None) -> None:
        super().__init__(message, status=status)
        self.missing = tuple(missing)


class SlowDown(ProviderProblem):
    """The service's rate limit is reached; it was not done. `retry_at` when the service said so."""

    code = "PROVIDER_RATE_LIMITED"
    is_retryable = True


class Unavailable(ProviderProblem):
    """The service answered that it is out of order (5xx). A write may have got through before it broke."""

    code = "PROVIDER_UNAVAILABLE"
    is_retryable = True
    may_have_happened = True


class NotSent(ProviderProblem):
    """Nothing reached the service: name, connection, certificate, or an address we refuse to talk to."""

    code = "PROVIDER_UNREACHABLE"
    is_retryable = True


class AnswerLost(ProviderProblem):
    """The request left; the answer did not arrive whole within its deadline."""

    code = "TIMED_OUT"
    is_retryable = True
    may_have_happened = True


class AnswerGarbled(ProviderProblem):
    """An answer arrived that is not what the service describes: unreadable, or far too large."""

    code = "PROVIDER_ANSWER_INVALID"
    may_have_happened = True


# ------------------------------------------------------------------------------------------- on our own side


class DependencyDown(MandateError):
    """PostgreSQL does not answer. Nothing was sent to a service; asking again with an idempotency key is safe."""

    code = "UNAVAILABLE"


class CredentialUnreadable(MandateError):
    """A sealed secret does not open. The message is for the operator; callers learn only that it is so."""

    code = "CREDENTIAL_UNREADABLE"
    is_for_callers = False


class SlowSubscriber(MandateError):
    """A subscription took events more slowly than they happened. Resuming after `position` loses nothing."""

    code = "SLOW_SUBSCRIBER"

    def __init__(self, position: int) -> None:
        """`position` is that of the last event handed out."""
        super().__init__("This subscription was too slow. Resume after the last event you received.")
        self.position = position


class Misconfigured(MandateError):
    """The operator must change a setting before this can work; the message names it and says how."""

    code = "MISCONFIGURED"
    is_for_callers = False


def documented_codes() -> Mapping[str, str]:
    """Every code a caller can meet, with the first line of its meaning; the page of errors is made from this."""
    found: dict[str, str] = {}
    waiting: list[type[MandateError]] = [MandateError]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        if "code" in vars(kind):
            found[kind.code] = (kind.__doc__ or "").strip().splitlines()[0]
    return dict(sorted(found.items()))
