"""When a credential is renewed, and how long a service is left alone after a failure."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.refreshing import KEEP_ALIVE, LARGEST_LEAD, cooldown, next_refresh
from tests.support.nouns import NOW

spreads = st.floats(0, 1)
lifetimes = st.integers(1, 400 * 24 * 3600).map(lambda seconds: timedelta(seconds=seconds))


@given(lifetimes, spreads)
def test_a_renewal_is_due_before_the_end_and_never_in_the_past(lifetime: timedelta, spread: float) -> None:
    due = next_refresh(NOW, NOW + lifetime, spread)
    assert NOW < due < NOW + lifetime


@given(lifetimes, spreads)
def test_it_is_due_at_most_fifteen_minutes_ahead_or_daily(lifetime: timedelta, spread: float) -> None:
    due = next_refresh(NOW, NOW + lifetime, spread)
    is_early = NOW + lifetime - due <= min(LARGEST_LEAD, lifetime / 5) * 1.5
    is_daily = KEEP_ALIVE * 0.8 < due - NOW <= KEEP_ALIVE
    assert is_early or is_daily


@given(spreads)
def test_a_credential_without_an_end_is_renewed_daily(spread: float) -> None:
    assert timedelta(hours=20) < next_refresh(NOW, None, spread) - NOW <= timedelta(days=1)
    assert next_refresh(NOW, NOW - timedelta(seconds=1), spread) > NOW


@given(st.integers(0, 10_000), spreads)
def test_pauses_double_up_to_the_longest(attempts: int, spread: float) -> None:
    pause = cooldown(attempts, spread, first=30, longest=3600)
    assert timedelta(seconds=30) <= pause <= timedelta(seconds=3600 * 1.25)
    assert cooldown(attempts + 1, spread, first=30, longest=3600) >= pause


def test_the_first_pauses_are_half_a_minute_and_a_minute() -> None:
    assert [cooldown(n, 0, first=30, longest=3600).total_seconds() for n in (1, 2, 3, 9)] == [30, 60, 120, 3600]
