"""Names the fixtures every test may ask for. They live in tests/support, one module for each kind."""

from collections.abc import Iterator

import pytest
import structlog

pytest_plugins = ["tests.support.servers", "tests.support.emulate", "tests.support.gateways"]


@pytest.fixture(autouse=True, scope="session")
def lasting_logs() -> Iterator[None]:
    """A gateway that is started inside a test sets up its logs, for the process and for good: onto a file that pytest
    closes after the test. Later tests' lines would fail on it."""
    configure = structlog.configure

    def afresh(**wanted: object) -> None:
        wanted |= {"cache_logger_on_first_use": False, "logger_factory": structlog.PrintLoggerFactory()}
        configure(**wanted)  # type: ignore[arg-type]  # as it was called, but for these two

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", afresh)
        yield
