"""What use cases work with, put together once by the gateway."""

from dataclasses import dataclass

from db.gate import Gate
from db.store import Stores
from domain.catalogue import Catalogue
from events.feed import Feed
from execution.pipeline import Pipeline
from vault.agent_keys import AgentKeys
from vault.credentials import CredentialVault
from vault.deployment import Fingerprints
from vault.oauth import OAuthClient


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the operator decided, as far as use cases need it."""

    version: str
    public_url: str
    is_development: bool
    allowed_redirects: tuple[str, ...] = ()
    rotation_days: int = 90
    session_minutes: int = 15

    @property
    def callback_url(self) -> str:
        """Where services send browsers back."""
        return f"{self.public_url}/oauth/callback"

    @property
    def mcp_url(self) -> str:
        """Where agents speak MCP."""
        return f"{self.public_url}/mcp"


@dataclass(frozen=True, slots=True)
class Services:
    """Everything use cases reach. Frozen: built once, shared by all requests."""

    deployment: Deployment
    catalogue: Catalogue
    stores: Stores
    gate: Gate
    feed: Feed
    pipeline: Pipeline
    vault: CredentialVault
    oauth: OAuthClient
    agent_keys: AgentKeys
    fingerprints: Fingerprints
