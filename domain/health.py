"""What a test of a connection can find."""

from dataclasses import dataclass

from domain.catalogue import Identity
from domain.connections import Connection, ConnectionStatus
from domain.errors import ProviderProblem, ReconnectNeeded


@dataclass(frozen=True, slots=True)
class Finding:
    """How the connection stands by its test. `scopes` is None when the service does not tell."""

    status: ConnectionStatus
    scopes: tuple[str, ...] | None = None
    problem: ProviderProblem | None = None


def finding_of(connection: Connection, service: str, identity: Identity) -> Finding:
    """The service answered. The account is pinned: an answer for somebody else's is no success."""
    if connection.account is not None and identity.account.id != connection.account.id:
        message = f"{service} now says that this is another account. Reconnect it."
        return Finding(ConnectionStatus.EXPIRED, problem=ReconnectNeeded(message))
    return Finding(ConnectionStatus.ACTIVE, identity.scopes)


def finding_of_problem(problem: ProviderProblem) -> Finding:
    """A service in trouble says nothing about the credential: a connection is not dropped for that."""
    is_over = isinstance(problem, ReconnectNeeded)
    return Finding(ConnectionStatus.EXPIRED if is_over else ConnectionStatus.DEGRADED, problem=problem)
