"""Structured logs. What looks like a secret by its name is left out, whoever logged it."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_NAME = re.compile(
    r"token|secret|password|authorization|cookie|credential$|master_key|verifier|api_key|dsn|_url$", re.IGNORECASE
)


def configure(*, is_development: bool) -> None:
    """Lines for people in development, JSON otherwise; to stderr, so that stdout stays for answers."""
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=False) if is_development else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            without_locals,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: names that speak of secrets keep their name and lose their value."""
    for name in event:
        if name != "event" and _SECRET_NAME.search(name):
            event[name] = "…"
    return event


def without_locals(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Where it happened, without the exception's words and without any frame's variables: both can hold secrets."""
    fault = event.pop("exc_info", None)
    if isinstance(fault, BaseException):
        places = []
        trace = fault.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            places.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
            trace = trace.tb_next
        event["exception"] = type(fault).__name__
        event["trace"] = places
    return event
