"""An identity provider for processes that trust a real one: discovery, keys, and tokens for anybody."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from domain.callers import Role
from tests.support.serving import serving
from tests.vault.issuing import AUDIENCE, published, signed


@dataclass(frozen=True)
class Issuer:
    """Its address, as `iss` says it."""

    url: str

    def issue(self, tenant: str, role: Role = Role.OWNER, subject: str = "ada") -> str:
        """A good token, for ten minutes."""
        now = int(time.time())
        return signed(
            {
                "iss": self.url,
                "aud": AUDIENCE,
                "sub": subject,
                "tenant": tenant,
                "roles": [role.value],
                "iat": now,
                "exp": now + 600,
            }
        )


@asynccontextmanager
async def local_issuer() -> AsyncIterator[Issuer]:
    """Served on loopback (OpenID Connect Discovery 1.0, section 4)."""

    async def configuration(request: Request) -> Response:
        root = str(request.base_url).rstrip("/")
        return JSONResponse({"issuer": root, "jwks_uri": f"{root}/keys"})

    async def keys(_: Request) -> Response:
        return JSONResponse(published())

    routes = [Route("/.well-known/openid-configuration", configuration), Route("/keys", keys)]
    async with serving(Starlette(routes=routes)) as url:
        yield Issuer(url)
