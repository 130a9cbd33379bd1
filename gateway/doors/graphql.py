"""GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/), by POST, and for queries by GET."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import orjson
from graphql import OperationType
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from domain.callers import Caller
from domain.errors import DependencyDown, MandateError, Unauthenticated
from gateway.doors.asking import Malformed, Trusted, question_of, read
from gateway.doors.authentication import caller_of
from gateway.doors.bodies import bounded_body
from gateway.wiring import Gateway
from schema.context import Context
from schema.kept import LARGEST_KEY_BYTES, KeptAnswers
from schema.streams import Answer, Question, Refused, Streams

JSON, GRAPHQL_JSON = "application/json", "application/graphql-response+json"

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; "
    "img-src 'self' data:; font-src 'self' data:; worker-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS = {"content-security-policy": _CSP, "cache-control": "no-cache", "x-content-type-options": "nosniff"}
_PARAMETERS = ("query", "documentId", "operationName")


class GraphQLDoor:
    """`graphiql` is the folder of the page for trying things out; None, as in production, serves no page."""

    def __init__(self, gateway: Gateway, streams: Streams, trusted: Trusted, graphiql: Path | None) -> None:
        self._gateway = gateway
        self._streams = streams
        self._trusted = trusted
        self._graphiql = graphiql
        self._kept = KeptAnswers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = Request(scope)
        answer = self._page(request) or await self._answer(request, receive)
        await answer(scope, receive, send)

    async def _answer(self, request: Request, receive: Receive) -> Response:
        """The caller is known before anything of the request is read."""
        try:
            caller = await caller_of(self._gateway, request)
        except MandateError as error:
            return refused(error)
        try:
            if request.method == "GET":
                return await self._got(request, caller)
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != JSON:
                return problem(415, "BAD_REQUEST", "Send the request as application/json.")
            body = await bounded_body(receive)
            if body is None:
                return problem(413, "TOO_LARGE", "The request is larger than 1 MiB.")
            return await self._posted(request, caller, body)
        except Malformed as error:
            return problem(400, error.code, error.message)
        except Refused as error:
            return Response(error.body, 400, media_type=JSON)

    async def _posted(self, request: Request, caller: Caller, body: bytes) -> Response:
        """The same bytes from the same roles get the same bytes back, where the answer is one that lasts."""
        key = (body, caller.roles)
        kept = self._kept.get(key)
        if kept is not None:
            return _response(request, Answer(kept, is_refusal=False))
        answer = await self._run(request, caller, read(body, self._trusted))
        if answer.is_lasting and len(body) <= LARGEST_KEY_BYTES:
            self._kept.keep(key, answer.body)
        return _response(request, answer)

    async def _got(self, request: Request, caller: Caller) -> Response:
        """A query in the address: nothing that changes anything is ever run this way."""
        question = in_address(request, self._trusted)
        try:
            kind = self._streams.kind(question)
        except Refused:
            return _response(request, await self._run(request, caller, question))  # which says why
        if kind is OperationType.MUTATION:
            return problem(405, "METHOD_NOT_ALLOWED", "Send mutations by POST.", {"allow": "POST"})
        answer = await self._run(request, caller, question)
        return _unless_known(request, _response(request, answer))

    async def _run(self, request: Request, caller: Caller, question: Question) -> Answer:
        context = Context(self._gateway.services, caller, idempotency_key=request.headers.get("idempotency-key"))
        return await self._streams.answer(question, context)

    def _page(self, request: Request) -> Response | None:
        """GraphiQL for a browser that looks in; 405 for what is neither GET nor POST."""
        if request.method == "POST":
            return None
        if request.method != "GET":
            return problem(405, "METHOD_NOT_ALLOWED", "Send queries by POST.", {"allow": "GET, POST"})
        is_asked = any(name in request.query_params for name in _PARAMETERS)
        if not is_asked and self._graphiql and "text/html" in request.headers.get("accept", ""):
            return FileResponse(self._graphiql / "index.html", headers=_PAGE_HEADERS)
        return None


def in_address(request: Request, trusted: Trusted) -> Question:
    """The operation that an address asks for (GraphQL over HTTP, section 5.3). Raises Malformed."""
    parameters = request.query_params
    data: dict[str, object] = {name: parameters[name] for name in _PARAMETERS if name in parameters}
    for name in ("variables", "extensions"):
        if parameters.get(name):
            try:
                data[name] = orjson.loads(parameters[name])
            except orjson.JSONDecodeError:
                raise Malformed(f"`{name}` must be JSON.") from None
    if not data:
        raise Malformed("Send queries by POST, or by GET as the parameter `query`.")
    return question_of(data, trusted)


def _response(request: Request, answer: Answer) -> Response:
    """With `application/graphql-response+json` the status tells whether the request was run (section 6.4.2)."""
    if GRAPHQL_JSON not in request.headers.get("accept", ""):
        return Response(answer.body, media_type=JSON)
    return Response(answer.body, status_code=400 if answer.is_refusal else 200, media_type=GRAPHQL_JSON)


def _unless_known(request: Request, answer: Response) -> Response:
    """304 when the caller already has this answer (RFC 9110, section 13.1.2)."""
    tag = f'"{sha256(answer.body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "private, no-cache", "vary": "authorization, cookie, accept"}
    if answer.status_code == 200 and tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    answer.headers.update(headers)
    return answer


def refused(error: MandateError) -> Response:
    """A request that never became a GraphQL request."""
    if isinstance(error, Unauthenticated):
        return problem(401, error.code, error.message, {"www-authenticate": 'Bearer realm="mandate"'})
    if isinstance(error, DependencyDown):
        return problem(503, error.code, error.message, {"retry-after": "2"})
    return problem(500, "INTERNAL", "The gateway is not set up correctly. Its operator finds the reason in its log.")


def problem(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """In GraphQL's own shape, so that a client needs one way of reading."""
    content = {"errors": [{"message": message, "extensions": {"code": code}}]}
    return JSONResponse(content, status_code=status, headers=headers)
