"""GraphQL over HTTP and over WebSocket (`graphql-transport-ws`), on one address."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import cast

import orjson
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from domain.callers import Caller
from domain.errors import DependencyDown, MandateError, Unauthenticated
from gateway.doors.asking import Malformed, read
from gateway.doors.authentication import caller_of
from gateway.doors.bodies import bounded_body
from gateway.doors.lifetime import bound_to_token
from gateway.wiring import Gateway
from schema.build import schema
from schema.context import NOBODY, Context

MOST_SUBSCRIPTIONS = 100
INIT_SECONDS = 10

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; "
    "img-src 'self' data:; font-src 'self' data:; worker-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class GraphQLDoor(GraphQL[Context, None]):
    """`graphiql` is the folder of the page for trying things out; None, as in production, serves no page."""

    def __init__(self, gateway: Gateway, origins: list[str], graphiql: Path | None) -> None:
        super().__init__(
            schema(),
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=timedelta(seconds=INIT_SECONDS),
            max_subscriptions_per_connection=MOST_SUBSCRIPTIONS,
            allowed_origins=origins,
        )
        self._gateway = gateway
        self._graphiql = graphiql

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one socket."""
        if scope["type"] != "http":
            with ExitStack() as endings:
                scope["mandate.endings"] = endings
                await super().__call__(scope, receive, send)
            return
        request = Request(scope)
        answer = self._page(request)
        if answer is None:
            try:
                scope["mandate.caller"] = await caller_of(self._gateway, request)
            except MandateError as error:
                answer = refused(error)
        if answer is not None:
            await answer(scope, receive, send)
            return
        body = await bounded_body(receive)
        if body is None:
            await problem(413, "TOO_LARGE", "The request is larger than 1 MiB.")(scope, receive, send)
            return
        answer = await self._answer(request, body)
        await answer(scope, receive, send)

    async def _answer(self, request: Request, body: bytes) -> Response:
        """One operation's answer. Strawberry's own view serves sockets; here it would read the request once more."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return problem(415, "BAD_REQUEST", "Send the request as application/json.")
        try:
            asked = read(body)
            result = await self.schema.execute(
                asked.query,
                variable_values=asked.variables,
                context_value=await self.get_context(request, Response()),
                operation_name=asked.operation_name,
            )
        except Malformed as error:
            return problem(400, "BAD_REQUEST", str(error))
        except CannotGetOperationTypeError as error:
            return problem(400, "BAD_REQUEST", error.as_http_error_reason())
        except InvalidOperationTypeError as error:
            return problem(400, "BAD_REQUEST", error.as_http_error_reason("POST"))
        content: dict[str, object] = {"data": result.data}
        if result.errors:
            content["errors"] = [error.formatted for error in result.errors]
        if result.extensions:
            content["extensions"] = result.extensions
        return Response(self._encoded(content), media_type="application/json")

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:  # noqa: ARG002
        """A socket has no caller until its `connection_init`."""
        caller = cast(Caller, request.scope.get("mandate.caller", NOBODY))
        key = request.headers.get("idempotency-key") if isinstance(request, Request) else None
        context = Context(self._gateway.services, caller, idempotency_key=key)
        if isinstance(request, WebSocket):
            context.socket = request
        return context

    async def on_ws_connect(self, context: Context) -> None:
        """The token comes in `connection_init` or in the handshake's header; the socket ends when the token does."""
        socket = cast(WebSocket, context.socket)
        params: Mapping[str, object] = context.connection_params or {}
        said = params.get("authorization", params.get("Authorization"))
        given = said if isinstance(said, str) else None
        try:
            context.caller = await caller_of(self._gateway, socket, given)
        except MandateError:
            raise ConnectionRejectionError from None
        bound_to_token(self._gateway, socket, context.caller, given, cast(ExitStack, socket.scope["mandate.endings"]))
        await super().on_ws_connect(context)

    def encode_json(self, data: object) -> str:
        """As text: sockets of this protocol carry text frames."""
        return self._encoded(data).decode()

    @staticmethod
    def _encoded(data: object) -> bytes:
        """orjson; what it will not write (lone surrogates from a service) the standard library escapes."""
        try:
            return orjson.dumps(data)
        except TypeError:
            return json.dumps(data).encode()

    def decode_json(self, data: str | bytes) -> object:
        """orjson: strict, and bounded in depth."""
        return orjson.loads(data)

    def _page(self, request: Request) -> Response | None:
        """GraphiQL for a browser that looks in; 405 for any other GET."""
        if request.method == "POST":
            return None
        if request.method == "GET" and self._graphiql and "text/html" in request.headers.get("accept", ""):
            headers = {
                "content-security-policy": _CSP,
                "cache-control": "no-cache",
                "x-content-type-options": "nosniff",
            }
            return FileResponse(self._graphiql / "index.html", headers=headers)
        return problem(405, "METHOD_NOT_ALLOWED", "Send queries by POST.", {"allow": "POST"})


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
