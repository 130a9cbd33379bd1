"""Reading a service's answer: was it a yes, and if not, which of our words is it?

What a service writes never reaches a caller. Only words that look like machine codes, from members the manifest
names, are repeated.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import cast

from adapters._kit.http import Incoming
from adapters._kit.manifest import Manifest, RateLimit, Verdict
from adapters._kit.pointing import find
from domain.errors import (
    AlreadyThere,
    AnswerGarbled,
    Forbidden,
    NotThere,
    ProviderProblem,
    ReconnectNeeded,
    Rejected,
    ScopeMissing,
    SlowDown,
    Unavailable,
)
from domain.json import Json

_MACHINE_WORD = re.compile(r"^[A-Za-z][A-Za-z0-9_.:-]{0,63}$")
_LARGEST_CODE = 999_999
_LONGEST_WAIT_SECONDS = 86_400

_BY_STATUS: Mapping[int, Verdict] = {
    401: "reconnect_needed",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    410: "not_found",
    412: "conflict",
    429: "rate_limited",
}


def parse(incoming: Incoming, service: str) -> Json:
    """The body as JSON, None when it is empty. Raises AnswerGarbled."""
    if not incoming.body:
        return None
    try:
        return cast(Json, json.loads(incoming.body))
    except (ValueError, RecursionError):
        raise AnswerGarbled(f"{service} did not answer with JSON.", status=incoming.status) from None


def problem_of(manifest: Manifest, incoming: Incoming) -> ProviderProblem | None:
    """What is wrong with this answer; None when it is a yes."""
    if incoming.status >= 400:
        return _judge(manifest, incoming, _body_or_none(incoming))
    if incoming.status >= 300:
        message = f"{manifest.name} wanted to redirect the call (status {incoming.status}); it was not followed."
        return Rejected(message, status=incoming.status)
    success, failure = manifest.answers.success, manifest.answers.failure
    if success is None and failure is None:
        return None
    body = parse(incoming, manifest.name)
    is_yes = (success is None or find(body, success) is True) and (failure is None or not find(body, failure))
    return None if is_yes else _judge(manifest, incoming, body)


def _judge(manifest: Manifest, incoming: Incoming, body: Json) -> ProviderProblem:
    places = manifest.answers.error
    codes = [word for at in ([places] if isinstance(places, str) else places) for word in _codes(find(body, at))]
    # Of several, the first that means something to us.
    code = next((each for each in codes if each in manifest.answers.errors), codes[0] if codes else None)
    said = f"{manifest.name} answered {' '.join(_said(manifest, incoming, body, code))}"
    flags = (meaning for at, meaning in manifest.answers.flags.items() if find(body, at) is True)
    verdict = next(flags, manifest.answers.errors.get(code) if code else None)
    retry_at = _retry_at(manifest.http.rate_limit, incoming)
    if verdict is None and _is_rate_limited(manifest.http.rate_limit, incoming):
        verdict = "rate_limited"
    if verdict is None:
        verdict = manifest.answers.statuses.get(str(incoming.status)) or _by_status(incoming.status)
    return _problem(verdict, said, incoming.status, retry_at, _needed(manifest, body), manifest.name)


def _by_status(status: int) -> Verdict:
    return "unavailable" if status >= 500 else _BY_STATUS.get(status, "rejected")


def _problem(
    verdict: Verdict, said: str, status: int, retry_at: datetime | None, needed: Sequence[str], service: str
) -> ProviderProblem:
    match verdict:
        case "not_found":
            return NotThere(f"{said}: there is no such thing, or this account may not see it.", status=status)
        case "conflict":
            return AlreadyThere(f"{said}: it is taken, or changed meanwhile.", status=status)
        case "forbidden":
            return Forbidden(f"{said}: the account may not do this.", status=status)
        case "reconnect_needed":
            message = f"{said}: it no longer accepts the credential. A person must reconnect the account."
            return ReconnectNeeded(message, status=status)
        case "scope_missing":
            message = f"{said}: the connection lacks a permission. A person must reconnect and allow it."
            return ScopeMissing(message, missing=needed, status=status)
        case "rate_limited":
            return SlowDown(f"{said}: {service}'s rate limit is reached.", status=status, retry_at=retry_at)
        case "unavailable":
            problem = Unavailable(f"{said}: it is out of order.", status=status, retry_at=retry_at)
            # RFC 9110, section 15.6.4: 503 says that the request was not handled.
            problem.may_have_happened = status != 503
            return problem
    return Rejected(f"{said}: the request must change.", status=status)


def _said(manifest: Manifest, incoming: Incoming, body: Json, code: str | None) -> Iterator[str]:
    yield str(incoming.status)
    words = [code] if code else []
    for path in manifest.answers.details:
        words += _codes(find(body, path))
    if words:
        yield f"({', '.join(dict.fromkeys(words[:8]))})"


def _codes(found: Json) -> Iterator[str]:
    """What may be repeated of it: words that look like machine codes, and numbers, as some services give them."""
    if isinstance(found, str):
        if _MACHINE_WORD.match(found):
            yield found
    elif isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= _LARGEST_CODE:
        yield str(found)
    elif isinstance(found, Sequence):
        for each in found:
            yield from _codes(each)


def _needed(manifest: Manifest, body: Json) -> tuple[str, ...]:
    named = find(body, manifest.answers.needed) if manifest.answers.needed else None
    if not isinstance(named, str):
        return ()
    return tuple(word for word in (part.strip() for part in named.split(",")) if _MACHINE_WORD.match(word))


def _body_or_none(incoming: Incoming) -> Json:
    try:
        return cast(Json, json.loads(incoming.body))
    except (ValueError, RecursionError):
        return None


def _is_rate_limited(limit: RateLimit, incoming: Incoming) -> bool:
    if incoming.status not in limit.statuses:
        return False
    headers = incoming.headers
    return incoming.status == 429 or headers.get(limit.remaining) == "0" or limit.retry_after in headers


def _retry_at(limit: RateLimit, incoming: Incoming) -> datetime | None:
    """When to come back: Retry-After (RFC 9110, section 10.2.3) in seconds or as a date, else the reset time."""
    now = datetime.now(UTC)
    after = incoming.headers.get(limit.retry_after)
    if after is not None:
        return _moment(after, now)
    reset = incoming.headers.get(limit.reset)
    # Services that count tell the reset time on every answer; those that do not tell it only when it is reached.
    if reset is not None and _is_number(reset) and incoming.headers.get(limit.remaining, "0") == "0":
        return _bounded(datetime.fromtimestamp(min(int(reset), 4_102_444_800), UTC), now)
    return None


def _moment(after: str, now: datetime) -> datetime | None:
    if _is_number(after):
        return now + timedelta(seconds=min(int(after), _LONGEST_WAIT_SECONDS))
    try:
        return _bounded(parsedate_to_datetime(after).astimezone(UTC), now)
    except ValueError:
        return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 1000  # int() gives up at 4300 digits


def _bounded(moment: datetime, now: datetime) -> datetime:
    return max(now, min(moment, now + timedelta(seconds=_LONGEST_WAIT_SECONDS)))
