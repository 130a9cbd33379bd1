"""What an action gets to work with.

It takes paths, never URLs, so an action can only reach its own service, and it signs requests itself, so an
action never sees a credential.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Literal
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from uuid import UUID

from adapters._kit import http
from adapters._kit.answers import parse, problem_of
from adapters._kit.manifest import Manifest, Pages
from adapters._kit.pointing import find
from domain.catalogue import Account
from domain.errors import AnswerGarbled, AnswerLost, NotSent, ProviderProblem, ReconnectNeeded, Rejected
from domain.json import Json, JsonObject

Scalar = str | int | bool | None
Query = Mapping[str, "Scalar | Sequence[str]"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

_MOST_PAGES = 50
_FORM_TYPE = "application/x-www-form-urlencoded"
_LINK = re.compile(r"<([^>]*)>([^<]*)")


def given(**values: Json) -> dict[str, Json]:
    """The values that are not None: what a body says about parameters that may be left out."""
    return {name: value for name, value in values.items() if value is not None}


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
    ) -> None:
        self._transport = transport
        self._manifest = manifest
        self._base_url = base_url.rstrip("/")
        self._headers = {**manifest.http.headers, **headers}
        self._deadline_at = deadline_at
        self.key = key
        self.account = account
        self.facts: Mapping[str, str] = facts or {}
        self.has_acted = False

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
        query: Query | None = None,
        harmless: bool = False,
        **fields: str | int,
    ) -> Answer:
        """POST with a JSON body or a form. `harmless`: it reads, or leaves nothing that anybody would see."""
        return await self._send("POST", path, fields, json=json, form=form, query=query, harmless=harmless)

    async def put(self, path: str, /, *, json: Json = None, **fields: str | int) -> Answer:
        """PUT with a JSON body."""
        return await self._send("PUT", path, fields, json=json)

    async def patch(self, path: str, /, *, json: Json = None, **fields: str | int) -> Answer:
        """PATCH with a JSON body."""
        return await self._send("PATCH", path, fields, json=json)

    async def delete(self, path: str, /, *, json: Json = None, **fields: str | int) -> Answer:
        """DELETE, with a JSON body where the service wants one."""
        return await self._send("DELETE", path, fields, json=json)

    async def send(
        self,
        method: Method,
        path: str,
        /,
        *,
        query: Query | None = None,
        json: Json = None,
        form: Query | None = None,
        harmless: bool = False,
        **fields: str | int,
    ) -> Answer:
        """Any of the above. An answer that is not a yes raises."""
        return await self._send(method, path, fields, query=query, json=json, form=form, harmless=harmless)

    async def _send(
        self,
        method: Method,
        path: str,
        fields: Mapping[str, str | int],
        *,
        query: Query | None = None,
        json: Json = None,
        form: Query | None = None,
        harmless: bool = False,
    ) -> Answer:
        headers, body = self._body(json, form)
        if method != "GET":
            headers |= self._key_header(path)
        url = f"{self._base_url}/{_filled(path, fields)}{_query(query)}"
        acts = method != "GET" and not harmless  # GET is safe (RFC 9110, section 9.2.1)
        try:
            incoming = await self._answered(http.Outgoing(method, url, headers, body))
        except ProviderProblem as problem:
            self.has_acted |= acts and problem.may_have_happened
            problem.may_have_happened = self.has_acted
            raise
        self.has_acted |= acts
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
        **fields: str | int,
    ) -> list[JsonObject]:
        """Walk a list by the manifest's paging style until `limit` objects were read or it ends.

        With `keep`, only the objects it accepts are returned and counted. No more than 50 pages are read.
        """
        pages = self._manifest.http.pages
        if pages is None:
            raise TypeError(f"{self._manifest.id}: the manifest names no paging style")
        size = pages.largest if keep else max(pages.smallest, min(limit, pages.largest))
        asked: dict[str, Scalar | Sequence[str]] = {**(query or {}), pages.size_parameter: size}
        found: list[JsonObject] = []
        for number in range(1, _MOST_PAGES + 1):
            where: Query | None = asked if pages.method == "GET" else None
            form = asked if pages.method == "POST" else None
            answer = await self._send(pages.method, path, fields, query=where, form=form, harmless=True)
            found += filter(keep, answer.objects(items)) if keep else answer.objects(items)
            following = _next_page(pages, answer, number)
            if len(found) >= limit or following is None:
                break
            asked |= following
        return found[:limit]

    def _key_header(self, path: str) -> dict[str, str]:
        """Our key, where the service honours one; elsewhere two steps of one action would share it."""
        header, paths = self._manifest.http.idempotency_header, self._manifest.http.idempotency_paths
        return {header: str(self.key)} if header and (not paths or path in paths) else {}

    def _body(self, value: Json, form: Query | None) -> tuple[dict[str, str], bytes | None]:
        if form is not None:
            return {**self._headers, "content-type": _FORM_TYPE}, _form(form).encode()
        if value is not None:
            return {**self._headers, "content-type": "application/json"}, json.dumps(value).encode()
        return dict(self._headers), None

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


def _next_page(pages: Pages, answer: Answer, number: int) -> dict[str, Scalar | Sequence[str]] | None:
    """Only the query of a next link is taken: a service cannot lead us elsewhere."""
    if pages.style == "link":
        link = _link(answer.headers.get("link", ""), "next")
        return dict(parse_qs(urlsplit(link).query)) if link else None
    following = answer.at(pages.next) if pages.next else None
    if isinstance(following, (str, int)) and following:
        return {pages.parameter: following}
    count = answer.at(pages.count) if pages.count else None
    return {"page": number + 1} if isinstance(count, int) and number < count else None


def _link(header: str, relation: str) -> str | None:
    for target, attributes in _LINK.findall(header):
        if f'rel="{relation}"' in attributes:
            return str(target)
    return None
