"""What an action gets to work with.

It takes paths, never URLs, so an action can only reach its own service, and it signs requests itself, so an
action never sees a credential. A service that lives on several hosts names them in its manifest; `on` picks one.
"""

import copy
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import Literal, Self
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from uuid import UUID

from adapters._kit import http
from adapters._kit.answers import parse, problem_of
from adapters._kit.manifest import Manifest, Pages
from adapters._kit.pointing import find
from domain.catalogue import Account
from domain.errors import (
    AnswerGarbled,
    AnswerLost,
    NotSent,
    ProviderProblem,
    ReconnectNeeded,
    Rejected,
    ScopeMissing,
    Unavailable,
)
from domain.json import Json, JsonObject

Scalar = str | int | bool | None
Query = Mapping[str, "Scalar | Sequence[str]"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

_MOST_PAGES = 50
_REDIRECTS = (301, 302, 303, 307, 308)
_FORM_TYPE = "application/x-www-form-urlencoded"
_LINK = re.compile(r"<([^>]*)>([^<]*)")


def given(**values: Json) -> dict[str, Json]:
    """The values that are not None: what a body says about parameters that may be left out."""
    return {name: value for name, value in values.items() if value is not None}


@dataclass(slots=True)
class _Trail:
    """What one run left behind so far, whichever host it was on."""

    has_acted: bool = False


@dataclass(frozen=True)
class Answer:
    """A service's yes."""

    incoming: http.Incoming
    service: str

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.incoming.status

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name."""
        return self.incoming.headers

    @cached_property
    def json(self) -> Json:
        """The body; None when empty. Raises AnswerGarbled."""
        return parse(self.incoming, self.service)

    def at(self, path: str) -> Json:
        """The member at a dotted path; None where there is none."""
        return find(self.json, path)

    def objects(self, path: str = "") -> list[JsonObject]:
        """The list of objects at the path. Raises AnswerGarbled when it is anything else."""
        found = self.at(path)
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            message = f"{self.service}'s answer holds no list where one is described."
            raise AnswerGarbled(message, status=self.status)
        return found


class Call:
    """One run's way to its service. Every method raises a ProviderProblem when the answer is not a yes.

    `has_acted` tells whether something may have changed at the service: a request that is not `harmless` was
    sent and was not refused. The problem of any later step says so too, for what came before it has happened.
    """

    def __init__(
        self,
        transport: http.Transport,
        manifest: Manifest,
        base_url: str,
        headers: Mapping[str, str],
        *,
        key: UUID,
        deadline_at: datetime,
        account: Account | None = None,
        facts: Mapping[str, str] | None = None,
        hosts: Mapping[str, str] | None = None,
        others: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._transport = transport
        self._manifest = manifest
        self._base_url = base_url.rstrip("/")
        self._hosts = {"": base_url, **(hosts or {})}
        self._headers = {**manifest.http.headers, **headers}
        self._others = others or {}
        self._deadline_at = deadline_at
        self.key = key
        self.account = account
        self.facts: Mapping[str, str] = facts or {}
        self._trail = _Trail()

    @property
    def has_acted(self) -> bool:
        """See the class."""
        return self._trail.has_acted

    def may_have_acted(self) -> None:
        """An answer told that something may have changed, although it was not a yes."""
        self._trail.has_acted = True

    def on(self, host: str, /) -> Self:
        """The same run at another host of the service, one of `[http.hosts]`; "" is the one at `base_url`.

        Signature, key, deadline and `has_acted` are shared. Raises TypeError for a host the manifest does not name.
        """
        if host not in self._hosts:
            raise TypeError(f"{self._manifest.id}: the manifest names no host {host!r}")
        there = copy.copy(self)
        there._base_url = self._hosts[host].rstrip("/")  # noqa: SLF001 - a copy of itself
        return there

    @property
    def seconds_left(self) -> float:
        """Until the run's deadline; never below zero."""
        return max(0.0, (self._deadline_at - datetime.now(UTC)).total_seconds())

    @property
    def account_id(self) -> str:
        """The connected account, as the service names it. Raises ReconnectNeeded when the connection names none."""
        if self.account is None:
            message = f"This connection does not say which {self._manifest.name} account it is. Reconnect it."
            raise ReconnectNeeded(message)
        return self.account.id

    async def get(self, path: str, /, *, query: Query | None = None, **fields: str | int) -> Answer:
        """GET. `{name}` in the path is filled from the keyword arguments, escaped."""
        return await self._send("GET", path, fields, query=query)

    async def post(
        self,
        path: str,
        /,
        *,
        json: Json = None,
        form: Query | None = None,
        content: bytes | None = None,
        media_type: str = "",
        query: Query | None = None,
        harmless: bool = False,
        step: str = "",
        **fields: str | int,
    ) -> Answer:
        """POST with a JSON body, a form or raw content. `harmless`: it reads, or leaves nothing anybody would see.

        `step` tells the writes of one action apart: each has a key of its own, the same for every attempt.
        """
        body = _body(json, form, content, media_type)
        return await self._send("POST", path, fields, body=body, query=query, harmless=harmless, step=step)

    async def put(
        self,
        path: str,
        /,
        *,
        json: Json = None,
        content: bytes | None = None,
        media_type: str = "",
        **fields: str | int,
    ) -> Answer:
        """PUT with a JSON body, or with raw content of a media type."""
        return await self._send("PUT", path, fields, body=_body(json, None, content, media_type))

    async def patch(self, path: str, /, *, json: Json = None, **fields: str | int) -> Answer:
        """PATCH with a JSON body."""
        return await self._send("PATCH", path, fields, body=_body(json))

    async def delete(self, path: str, /, *, json: Json = None, **fields: str | int) -> Answer:
        """DELETE, with a JSON body where the service wants one."""
        return await self._send("DELETE", path, fields, body=_body(json))

    async def send(
        self,
        method: Method,
        path: str,
        /,
        *,
        query: Query | None = None,
        json: Json = None,
        form: Query | None = None,
        content: bytes | None = None,
        media_type: str = "",
        harmless: bool = False,
        step: str = "",
        headers: Mapping[str, str] | None = None,
        excerpt: http.Excerpt | None = None,
        **fields: str | int,
    ) -> Answer:
        """Any of the above, with headers of its own. An answer that is not a yes raises.

        `excerpt` is for answers that do not end by themselves; see there.
        """
        body = _body(json, form, content, media_type)
        more = headers or {}
        return await self._send(
            method, path, fields, body=body, query=query, harmless=harmless, step=step, more=more, excerpt=excerpt
        )

    async def _send(
        self,
        method: Method,
        path: str,
        fields: Mapping[str, str | int],
        *,
        body: "_Body | None" = None,
        query: Query | None = None,
        harmless: bool = False,
        step: str = "",
        more: Mapping[str, str] = MappingProxyType({}),
        excerpt: http.Excerpt | None = None,
    ) -> Answer:
        headers = {**self._headers, **more}
        if body is not None:
            headers["content-type"] = body.media_type
        headers |= self._key_header(method, path, step)
        url = f"{self._base_url}/{_filled(path, fields)}{_query(query)}"
        acts = method != "GET" and not harmless  # GET is safe (RFC 9110, section 9.2.1)
        try:
            outgoing = http.Outgoing(method, url, headers, body.raw if body else None, excerpt)
            incoming = await self._answered(outgoing)
        except ProviderProblem as problem:
            self._trail.has_acted |= acts and problem.may_have_happened
            problem.may_have_happened = self.has_acted
            raise
        self._trail.has_acted |= acts
        return Answer(incoming, self._manifest.name)

    async def pages(
        self,
        path: str,
        /,
        *,
        limit: int,
        items: str = "",
        query: Query | None = None,
        keep: Callable[[JsonObject], bool] | None = None,
        parameter: str = "",
        **fields: str | int,
    ) -> list[JsonObject]:
        """Walk a list by the manifest's paging style until `limit` objects were read or it ends.

        With `keep`, only the objects it accepts are returned and counted. `parameter` is where this list wants the
        next cursor, when it differs from the manifest's. No more than 50 pages are read.
        """
        pages = self._manifest.http.pages
        if pages is None:
            raise TypeError(f"{self._manifest.id}: the manifest names no paging style")
        pages = pages.model_copy(update={"parameter": parameter}) if parameter else pages
        size = pages.largest if keep else max(pages.smallest, min(limit, pages.largest))
        asked: dict[str, Scalar | Sequence[str]] = {**(query or {}), pages.size_parameter: size}
        found: list[JsonObject] = []
        for number in range(1, _MOST_PAGES + 1):
            where: Query | None = asked if pages.method == "GET" else None
            form = asked if pages.method == "POST" else None
            answer = await self._send(pages.method, path, fields, body=_body(form=form), query=where, harmless=True)
            listed = [] if pages.leaves_out_empty and answer.at(items) is None else answer.objects(items)
            found += filter(keep, listed) if keep else listed
            following = _next_page(pages, answer, number, items)
            if len(found) >= limit or following is None:
                break
            asked |= following
        return found[:limit]

    async def download(self, path: str, /, *, query: Query | None = None, **fields: str | int) -> Answer:
        """GET a file that the service may hand out at another address.

        One redirect is followed, and only to where the manifest's `downloads` says or to the service itself. Nothing
        of ours goes along: no credential, no header. Raises Rejected for any other address.
        """
        url = f"{self._base_url}/{_filled(path, fields)}{_query(query)}"
        incoming = await self._deliver(http.Outgoing("GET", url, dict(self._headers)))
        is_elsewhere = incoming.status in _REDIRECTS
        if is_elsewhere:
            place = self._handed_out_at(incoming.headers.get("location", ""))
            incoming = await self._deliver(http.Outgoing("GET", place, {}))
        problem = problem_of(self._manifest, incoming)
        if problem is not None and is_elsewhere:  # it has not seen the credential, so it says nothing about it
            problem = Unavailable(f"{self._manifest.name} did not hand out the file.", status=incoming.status)
        if problem is not None:
            problem.may_have_happened = self.has_acted
            raise problem
        return Answer(incoming, self._manifest.name)

    async def upload(self, address: str, /, *, content: bytes, media_type: str = "application/octet-stream") -> None:
        """POST content to an address that the service has named for it, where nobody sees it before a further step.

        Only to where the manifest's `uploads` says or to the service itself, and nothing of ours goes along: no
        credential, no header. Raises Rejected for any other address.
        """
        name = self._manifest.name
        refusal = f"{name} wanted the file at an address that is not known as its own."
        place = self._known_place(address, self._manifest.http.uploads, refusal)
        incoming = await self._deliver(http.Outgoing("POST", place, {"content-type": media_type}, content))
        if incoming.status >= 300:
            problem = Unavailable(f"{name} did not take the file.", status=incoming.status)
            problem.may_have_happened = self.has_acted
            raise problem

    def acting_as(self, token: str, /) -> Self:
        """The same run, signed with another token of the connection: one of the manifest's `[tokens]`.

        Raises ScopeMissing when the connection has none, and TypeError for a token the manifest does not name.
        """
        how = self._manifest.tokens.get(token)
        if how is None:
            raise TypeError(f"{self._manifest.id}: the manifest names no token {token!r}")
        if token not in self._others:
            message = f"This {self._manifest.name} connection has no {token} token. Reconnect it and allow more."
            raise ScopeMissing(message, missing=how.scopes)
        other = copy.copy(self)
        other._headers = {**self._headers, **self._others[token]}  # noqa: SLF001 - a copy of itself
        return other

    def _handed_out_at(self, location: str) -> str:
        refusal = f"{self._manifest.name} wanted to hand out the file at an address that is not known as its own."
        return self._known_place(location, self._manifest.http.downloads, refusal)

    def _known_place(self, location: str, names: Sequence[str], refusal: str) -> str:
        try:
            place, home = urlsplit(location), urlsplit(self._base_url)
            host, is_plain = place.hostname or "", place.username is None and place.port in (None, 443)
        except ValueError:
            host, is_plain = "", False
        else:
            if (place.scheme, place.netloc) == (home.scheme, home.netloc):
                return location
            is_plain = is_plain and place.scheme == "https"
        if is_plain and any(host == each or host.endswith(f".{each}") for each in names):
            return location
        raise Rejected(refusal)

    def _key_header(self, method: Method, path: str, step: str) -> dict[str, str]:
        """Our key, where the service honours one; elsewhere two steps of one action would share it."""
        how = self._manifest.http
        is_honoured = method in how.idempotency_methods and (not how.idempotency_paths or path in how.idempotency_paths)
        key = f"{self.key}-{step}" if step else str(self.key)
        return {how.idempotency_header: key} if how.idempotency_header and is_honoured else {}

    async def _answered(self, outgoing: http.Outgoing) -> http.Incoming:
        incoming = await self._deliver(outgoing)
        problem = problem_of(self._manifest, incoming)
        if problem is not None:
            raise problem
        return incoming

    async def _deliver(self, outgoing: http.Outgoing) -> http.Incoming:
        left = (self._deadline_at - datetime.now(UTC)).total_seconds()
        name = self._manifest.name
        if left <= 0:
            raise NotSent(f"The deadline passed before {name} was called.")
        try:
            return await self._transport.send(outgoing, total_seconds=left)
        except http.NotSent as failure:
            raise NotSent(_UNSENT.get(failure.code, "{} could not be reached.").format(name)) from failure
        except http.AnswerLost as failure:
            if failure.code in ("body_too_large", "bad_answer"):
                raise AnswerGarbled(_GARBLED[failure.code].format(name)) from failure
            raise AnswerLost(_LOST.get(failure.code, "The answer from {} was lost.").format(name)) from failure


_UNSENT = {
    "connect_timeout": "{} could not be reached in time.",
    "tls_failed": "{} could not prove who it is (TLS). Nothing was sent.",
    "refused_address": "The address of {} is not on the public internet, so nothing was sent.",
}
_LOST = {
    "timed_out": "{} did not answer in time.",
    "connection_lost": "The connection to {} broke before the answer arrived.",
}
_GARBLED = {
    "body_too_large": "The answer from {} is larger than Mandate reads.",
    "bad_answer": "What {} answered is not HTTP.",
}


@dataclass(frozen=True, slots=True)
class _Body:
    raw: bytes
    media_type: str


def _body(
    value: Json = None, form: Query | None = None, content: bytes | None = None, media_type: str = ""
) -> _Body | None:
    if content is not None:
        return _Body(content, media_type or "application/octet-stream")
    if form is not None:
        return _Body(_form(form).encode(), _FORM_TYPE)
    return None if value is None else _Body(json.dumps(value).encode(), media_type or "application/json")


def _filled(path: str, fields: Mapping[str, str | int]) -> str:
    """Path parameters cannot leave their place: a slash or dots in a value stay a value. Raises Rejected."""
    escaped = {}
    for name, value in fields.items():
        text = quote(str(value), safe="")
        if text in ("", ".", ".."):
            raise Rejected(f"This value of `{name}` cannot be part of an address. Nothing was sent.")
        escaped[name] = text
    return path.lstrip("/").format(**escaped)


def _form(form: Query) -> str:
    pairs: list[tuple[str, str]] = []
    for name, value in form.items():
        if isinstance(value, bool):
            pairs.append((name, "true" if value else "false"))
        elif isinstance(value, (str, int)):
            pairs.append((name, str(value)))
        elif value is not None:
            pairs += [(name, each) for each in value]
    return urlencode(pairs)


def _query(query: Query | None) -> str:
    text = _form(query) if query else ""
    return f"?{text}" if text else ""


def _next_page(pages: Pages, answer: Answer, number: int, items: str) -> dict[str, Scalar | Sequence[str]] | None:
    """Only the query of a next link is taken: a service cannot lead us elsewhere."""
    if pages.style == "link":
        link = _link(answer.headers.get("link", ""), "next")
        return _asked_by(link) if link else None
    if pages.style == "address":
        address = answer.json.get(pages.next) if isinstance(answer.json, Mapping) else None
        return _asked_by(address) if isinstance(address, str) and address else None
    following = answer.at(pages.next) if pages.next else _after_last(pages, answer, items)
    if isinstance(following, (str, int)) and following:
        return {pages.parameter: following}
    count = answer.at(pages.count) if pages.count else None
    return {"page": number + 1} if isinstance(count, int) and number < count else None


def _asked_by(address: str) -> dict[str, Scalar | Sequence[str]]:
    """The query of an address. Raises AnswerGarbled when there is none: the same page would be read again."""
    try:
        query = parse_qs(urlsplit(address).query)
    except ValueError:
        query = {}
    if not query:
        raise AnswerGarbled("The service named a next page that cannot be asked for.")
    return dict(query)


def _after_last(pages: Pages, answer: Answer, items: str) -> Json:
    shown = answer.objects(items) if pages.last and answer.at(pages.more) is True else []
    return shown[-1].get(pages.last) if shown else None


def _link(header: str, relation: str) -> str | None:
    for target, attributes in _LINK.findall(header):
        if f'rel="{relation}"' in attributes:
            return str(target)
    return None
