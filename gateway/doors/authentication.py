"""From a connection to a caller: what every door does first."""

import ipaddress

from starlette.requests import HTTPConnection

from domain.callers import Caller
from gateway.wiring import Gateway


async def caller_of(
    gateway: Gateway, connection: HTTPConnection, authorization: str | None = None, *, takes_cookie: bool = True
) -> Caller:
    """Who is calling. Raises Unauthenticated. Without a header a browser's cookie counts, if our own page sent it.

    Repeated headers are joined, and so refused. Whether the peer is this machine is read from the socket, never from a
    header that a proxy or a caller could have written.
    """
    if authorization is None:
        authorization = ", ".join(connection.headers.getlist("authorization")) or None
    if authorization is None and takes_cookie:
        authorization = gateway.browsers.authorization(connection)
    caller = await gateway.authenticator.authenticate(authorization, is_local=is_local(connection))
    if caller.token_id is not None:
        gateway.services.gate.note_token_use(caller.token_id)
    return caller


def is_local(connection: HTTPConnection) -> bool:
    """Whether the other end of the socket is on this machine."""
    try:
        return connection.client is not None and ipaddress.ip_address(connection.client.host).is_loopback
    except ValueError:
        return False
