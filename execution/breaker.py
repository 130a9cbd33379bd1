"""A breaker for each service: when it fails time after time, calls pause for a while instead of queueing up behind it.

Counted in this process alone: every process finds out within a few calls of its own, and nothing has to be shared.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain.executions import Outcome

#: So many failures in a row, none of them the request's own fault, open it.
MOST_IN_A_ROW = 20
PAUSE = timedelta(seconds=10)
_OUT_OF_ORDER = frozenset({"PROVIDER_UNAVAILABLE", "PROVIDER_UNREACHABLE", "TIMED_OUT"})


@dataclass(slots=True)
class _State:
    in_a_row: int = 0
    open_until: datetime | None = None


class Breakers:
    """One per service, and another for its sandbox."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, bool], _State] = {}

    def open_until(self, service: str, *, is_sandbox: bool) -> datetime | None:
        """When to try again, while it is open. Once that has passed, a single call is let through to find out."""
        state = self._states.get((service, is_sandbox))
        if state is None or state.open_until is None:
            return None
        now = datetime.now(UTC)
        if now < state.open_until:
            return state.open_until
        state.open_until = now + PAUSE  # for the others, until this one has told
        return None

    def note(self, service: str, outcome: Outcome, *, is_sandbox: bool) -> None:
        """What a call told about the service."""
        if outcome.error is None or outcome.error.code not in _OUT_OF_ORDER:
            self._states.pop((service, is_sandbox), None)
            return
        state = self._states.setdefault((service, is_sandbox), _State())
        state.in_a_row += 1
        if state.in_a_row >= MOST_IN_A_ROW:
            state.open_until = datetime.now(UTC) + PAUSE
