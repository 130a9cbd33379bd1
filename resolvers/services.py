"""What use cases work with, put together once by the gateway."""

from dataclasses import dataclass, field

from adapters._kit.egress import Egress
from db.across import Across
from db.gate import Gate
from db.store import Stores
from domain.catalogue import Catalogue
from events.feed import Feed
from execution.pipeline import Pipeline
from vault.agent_keys import AgentKeys
from vault.applications import Applications
from vault.credentials import CredentialVault
from vault.deployment import Fingerprints
from vault.health import Health
from vault.oauth import OAuthClient
from vault.receipts import ReceiptPrinter
from vault.refreshing import Refresher


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the operator decided, as far as use cases need it."""

    version: str
    public_url: str
    is_development: bool
    allowed_redirects: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    rotation_days: int = 90
    session_minutes: int = 15
    mcp_tools: int = 60
    egress: Egress = field(default_factory=Egress)

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
    across: Across
    feed: Feed
    pipeline: Pipeline
    vault: CredentialVault
    oauth: OAuthClient
    applications: Applications
    refresher: Refresher
    health: Health
    agent_keys: AgentKeys
    fingerprints: Fingerprints
    receipts: ReceiptPrinter
