"""Everything the operator decides, read once, from the environment and one file. Nobody else reads the environment.

A new setting is a field here with its variable and a word about it; `docs/configuration.md` lists them all, and a test
holds the two together.
"""

import ipaddress
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from adapters._kit.integration import Override
from domain.errors import Misconfigured
from domain.rates import Limits, Rate, per_minute
from domain.secrets import Secret


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class IntegrationSettings(_Strict):
    """`[integrations.NAME]` of the file. Addresses replace the manifest's."""

    client_id: str | None = Field(
        default=None, description="Your OAuth application's public identifier at the service."
    )
    client_secret: str | None = Field(default=None, description="Its secret.", repr=False)
    base_url: str | None = Field(default=None, description="Where the service's API is.")
    authorize_url: str | None = Field(default=None, description="Where people consent.")
    token_url: str | None = Field(default=None, description="Where codes are exchanged for tokens.")
    revoke_url: str | None = Field(default=None, description="Where tokens are revoked.")
    hosts: dict[str, str] = Field(
        default={},
        description="Where further hosts of the service are, by the name in the manifest's `[http.hosts]`. "
        "With `base_url` set, those without an entry go there too.",
    )
    sandbox: bool | None = Field(
        default=None,
        description="Development only: connect to the simulated service that ships with the integration. "
        "Without a word it does, unless `client_id` or an address is set.",
    )

    @field_validator("base_url", "authorize_url", "token_url", "revoke_url")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError("is not an http or https address")
        return value

    @field_validator("hosts")
    @classmethod
    def _addresses(cls, value: dict[str, str]) -> dict[str, str]:
        return {name: cls._an_address(address) or "" for name, address in value.items()}

    def override(self) -> Override:
        """For the catalogue."""
        return Override(
            client_id=self.client_id,
            client_secret=Secret(self.client_secret) if self.client_secret else None,
            base_url=self.base_url,
            authorize_url=self.authorize_url,
            token_url=self.token_url,
            revoke_url=self.revoke_url,
            hosts=self.hosts,
        )


class EgressSettings(_Strict):
    """`[egress]` of the file."""

    allow: tuple[str, ...] = Field(
        default=(), description="Networks outside the public internet that services may live in, e.g. `10.1.0.0/16`."
    )

    @field_validator("allow")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            ipaddress.ip_network(each)
        return value


class GraphQLSettings(_Strict):
    """`[graphql]` of the file."""

    documents: Path | None = Field(
        default=None,
        description='A manifest of documents that may be asked for by `documentId`: `{"<id>": "<document>"}`, or '
        "Apollo's. Each also goes by the SHA-256 of its text.",
    )
    only_documents: bool = Field(default=False, description="Run the documents of the manifest and no others.")


class LimitsSettings(_Strict):
    """`[limits]` of the file."""

    tenant_per_minute: int | None = Field(default=None, gt=0, description="Calls to services, of one tenant together.")
    agent_per_minute: int | None = Field(default=None, gt=0, description="Of one agent.")
    connection_per_minute: int | None = Field(default=None, gt=0, description="As one connected account.")
    integration_per_minute: int | None = Field(default=None, gt=0, description="Of one tenant, to one service.")
    burst_seconds: int = Field(
        default=10, ge=1, le=3600, description="So many seconds' worth may come at once, after a rest."
    )

    def limits(self) -> Limits:
        """For the throttle."""

        def rate(many: int | None) -> Rate | None:
            return per_minute(many, self.burst_seconds) if many else None

        return Limits(
            tenant=rate(self.tenant_per_minute),
            agent=rate(self.agent_per_minute),
            connection=rate(self.connection_per_minute),
            integration=rate(self.integration_per_minute),
        )


class ConfigFile(_Strict):
    """The file that `MANDATE_CONFIG` names."""

    integrations: dict[str, IntegrationSettings] = Field(default={}, description="One table per integration.")
    egress: EgressSettings = Field(default=EgressSettings(), description="Where calls may go.")
    limits: LimitsSettings = Field(default=LimitsSettings(), description="How fast callers may go.")
    graphql: GraphQLSettings = Field(default=GraphQLSettings(), description="Which documents are run.")


class Settings(_Strict):
    """What the environment says."""

    database_url: Secret | None = Field(
        default=None, description="PostgreSQL 15 or newer, `postgresql://…`. Without it an embedded server is started."
    )
    redis_url: Secret | None = Field(
        default=None,
        description="Redis 7 or newer, for live events. Without it PostgreSQL's LISTEN/NOTIFY carries them.",
    )
    data_dir: Path | None = Field(
        default=None,
        description="Where the embedded database, development's keys, and renewed access that the database did not "
        "take yet lie. Without it: the user's data folder.",
    )
    master_keys: Secret | None = Field(
        default=None,
        description="`id:base64-of-32-bytes[,id:…]`; the first one wraps. In place of a key, `aws-kms:ARN` or "
        "`vault:https://HOST/MOUNT/KEY` name one in a key service. Required by `serve`; development makes its own.",
    )
    aws_access_key_id: str | None = Field(default=None, description="For master keys in AWS KMS: who we are there.")
    aws_secret_access_key: Secret | None = Field(default=None, description="Its secret.")
    aws_session_token: Secret | None = Field(default=None, description="For temporary credentials.")
    aws_kms_endpoint: str | None = Field(
        default=None, description="Where AWS KMS is. Without it: its public address in the key's region."
    )
    vault_token: Secret | None = Field(default=None, description="For master keys in Vault's transit engine.")
    oidc_issuer: str | None = Field(default=None, description="Whose tokens are trusted. Required by `serve`.")
    oidc_audience: str | None = Field(default=None, description="Which `aud` their tokens carry. Required by `serve`.")
    oidc_client_id: str | None = Field(
        default=None, description="The gateway's name at the issuer, for signing in by browser. Without it: no such."
    )
    oidc_client_secret: Secret | None = Field(
        default=None, description="Its secret there; none for a public client. PKCE is used either way."
    )
    oidc_scopes: str = Field(default="openid", description="What signing in by browser asks for, separated by spaces.")
    tenant_claim: str = Field(default="tenant", description="The claim that names the tenant; may be a dotted path.")
    roles_claim: str = Field(default="roles", description="The claim that lists the roles; may be a dotted path.")
    public_url: str | None = Field(
        default=None, description="The address browsers and services come back to. Development: `http://HOST:PORT`."
    )
    allowed_redirects: tuple[str, ...] = Field(
        default=(), description="Comma-separated addresses a browser may go to after connecting; paths below them too."
    )
    allowed_origins: tuple[str, ...] = Field(
        default=(), description="Comma-separated origins whose pages may call the gateway from a browser."
    )
    check_hours: float = Field(
        default=24,
        ge=0,
        description="How often, in hours, each connection is tested in the background. 0: only when somebody asks.",
    )
    mcp_tools: int = Field(
        default=60,
        ge=0,
        description="Callers with more tools than this are shown three by MCP instead: to search, to describe, to "
        "execute.",
    )
    metrics_token: Secret | None = Field(
        default=None, description="Who sends it as a bearer token is shown `/metrics`. Without it there is no page."
    )
    test_die_at: str | None = Field(
        default=None, description="Development only: the step at which the process kills itself, for tests of that."
    )
    config: Path | None = Field(default=None, description="A TOML file with `[integrations.NAME]` and `[egress]`.")
    file: ConfigFile = Field(default=ConfigFile(), description="What that file says.")

    @property
    def check_every(self) -> timedelta | None:
        """How often each connection is tested; None for never."""
        return timedelta(hours=self.check_hours) if self.check_hours else None

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Raises Misconfigured naming the variable, never its value."""
        values: dict[str, object] = {}
        for name, variable in VARIABLES.items():
            text = environ.get(variable, "").strip()
            if not text:
                continue
            if name in _SECRETS:
                values[name] = Secret(text)
            elif name in ("allowed_redirects", "allowed_origins"):
                values[name] = tuple(part.strip() for part in text.split(",") if part.strip())
            else:
                values[name] = text
        if "config" in values:
            values["file"] = _read_file(Path(str(values["config"])))
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            variable = VARIABLES.get(str(first["loc"][0]), str(first["loc"][0]))
            raise Misconfigured(f"{variable}: {first['msg']}.") from None


#: Fields whose text is never shown.
_SECRETS = (
    "database_url",
    "redis_url",
    "master_keys",
    "aws_secret_access_key",
    "aws_session_token",
    "vault_token",
    "metrics_token",
    "oidc_client_secret",
)
#: Which variable sets which field.
VARIABLES: Mapping[str, str] = {
    "database_url": "DATABASE_URL",
    "redis_url": "REDIS_URL",
    "data_dir": "MANDATE_DATA_DIR",
    "master_keys": "MANDATE_MASTER_KEYS",
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "aws_session_token": "AWS_SESSION_TOKEN",
    "aws_kms_endpoint": "MANDATE_AWS_KMS_ENDPOINT",
    "vault_token": "MANDATE_VAULT_TOKEN",
    "oidc_issuer": "MANDATE_OIDC_ISSUER",
    "oidc_audience": "MANDATE_OIDC_AUDIENCE",
    "oidc_client_id": "MANDATE_OIDC_CLIENT_ID",
    "oidc_client_secret": "MANDATE_OIDC_CLIENT_SECRET",
    "oidc_scopes": "MANDATE_OIDC_SCOPES",
    "tenant_claim": "MANDATE_TENANT_CLAIM",
    "roles_claim": "MANDATE_ROLES_CLAIM",
    "public_url": "MANDATE_PUBLIC_URL",
    "allowed_redirects": "MANDATE_ALLOWED_REDIRECTS",
    "allowed_origins": "MANDATE_ALLOWED_ORIGINS",
    "check_hours": "MANDATE_CHECK_HOURS",
    "mcp_tools": "MANDATE_MCP_TOOLS",
    "metrics_token": "MANDATE_METRICS_TOKEN",
    "test_die_at": "MANDATE_TEST_DIE_AT",
    "config": "MANDATE_CONFIG",
}


def _read_file(path: Path) -> ConfigFile:
    try:
        return ConfigFile.model_validate(tomllib.loads(path.read_text()))
    except OSError:
        raise Misconfigured(f"MANDATE_CONFIG: {path} cannot be read.") from None
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{path} is not TOML: {error}.") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Misconfigured(f"{path}: `{place}`: {first['msg']}.") from None
