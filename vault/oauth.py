"""Obtaining a credential by OAuth 2.0: the authorisation code flow (RFC 6749, section 4.1) with PKCE (RFC 7636).

State is always checked by the caller of this module; PKCE is added wherever the service takes it.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode, urlsplit

from domain.catalogue import AuthScheme, Credential, OAuthApplication
from domain.errors import ProviderRefused
from domain.secrets import Secret

if TYPE_CHECKING:
    import httpx2

_CODE_REFUSED = "{} did not accept the authorisation. Start connecting again."
_MISCONFIGURED = "{} does not know this OAuth application. An operator must check its client id and secret."
_UNREACHABLE = "{} could not be reached to finish connecting. Start connecting again."
_OUR_FAULTS = frozenset({"invalid_client", "incorrect_client_credentials", "unauthorized_client", "bad_client_secret"})


@dataclass(frozen=True, slots=True)
class Obtained:
    """What a token endpoint gave. `scopes` is None when it did not say."""

    credential: Credential
    scopes: tuple[str, ...] | None
    expires_at: datetime | None


def new_verifier() -> Secret:
    """RFC 7636, section 4.1: 43 to 128 characters of high entropy."""
    return Secret(secrets.token_urlsafe(48))


def authorization_url(
    application: OAuthApplication, scopes: Sequence[str], state: str, redirect_uri: str, verifier: Secret
) -> str:
    """Where the person's browser goes to consent."""
    query: dict[str, str] = {
        **application.authorize_parameters,
        "response_type": "code",
        "client_id": application.client_id,
        "redirect_uri": redirect_uri,
        "scope": application.scope_separator.join(scopes),
        "state": state,
    }
    if application.uses_pkce:
        digest = hashlib.sha256(verifier.reveal().encode()).digest()
        query["code_challenge"] = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        query["code_challenge_method"] = "S256"
    joiner = "&" if urlsplit(application.authorize_url).query else "?"
    return f"{application.authorize_url}{joiner}{urlencode(query)}"


class OAuthClient:
    """Exchanges codes. `transport` is the gateway's guarded way out."""

    def __init__(self, transport: "httpx2.AsyncBaseTransport") -> None:
        self._transport = transport

    async def exchange(
        self, application: OAuthApplication, service: str, code: str, redirect_uri: str, verifier: Secret
    ) -> Obtained:
        """RFC 6749, section 4.1.3. Raises ProviderRefused; what the service wrote is not repeated."""
        import httpx2
        from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]  # it ships no types
        from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]  # likewise

        client = AsyncOAuth2Client(
            client_id=application.client_id,
            client_secret=application.client_secret.reveal(),
            token_endpoint_auth_method=application.client_auth,
            transport=self._transport,
            trust_env=False,
            follow_redirects=False,
        )
        extra = {"code_verifier": verifier.reveal()} if application.uses_pkce else {}
        try:
            answer = await client.fetch_token(
                application.token_url,
                grant_type="authorization_code",
                code=code,
                redirect_uri=redirect_uri,
                headers={"accept": "application/json", "content-type": "application/x-www-form-urlencoded"},
                **extra,
            )
        except OAuthError as error:
            is_ours = isinstance(error.error, str) and error.error in _OUR_FAULTS
            sentence = _MISCONFIGURED if is_ours else _CODE_REFUSED
            raise ProviderRefused(sentence.format(service)) from None
        except (httpx2.HTTPError, OSError):
            raise ProviderRefused(_UNREACHABLE.format(service)) from None
        except (ValueError, TypeError, RecursionError):  # not JSON, or not what RFC 6749 describes
            raise ProviderRefused(_CODE_REFUSED.format(service)) from None
        return read_answer(cast(Mapping[str, object], answer), service)


def read_answer(answer: Mapping[str, object], service: str) -> Obtained:
    """A token endpoint's answer (RFC 6749, section 5.1). Raises ProviderRefused when it holds no token."""
    token = answer.get("access_token")
    if not isinstance(token, str) or not token:
        raise ProviderRefused(_CODE_REFUSED.format(service))
    found = {"access_token": Secret(token)}
    refresh = answer.get("refresh_token")
    if isinstance(refresh, str) and refresh:
        found["refresh_token"] = Secret(refresh)
    expires_at = _moment(answer.get("expires_in"))
    return Obtained(Credential(AuthScheme.OAUTH2, found, {}), _scopes(answer.get("scope")), expires_at)


def _moment(lifetime: object) -> datetime | None:
    """When the token ends; None when it was not said, or makes no sense."""
    digits = str(lifetime)
    if digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits) > 0:
        return datetime.now(UTC) + timedelta(seconds=int(digits))
    return None


def _scopes(told: object) -> tuple[str, ...] | None:
    """RFC 6749 separates with spaces; GitHub and Slack answer with commas."""
    if not isinstance(told, str):
        return None
    return tuple(dict.fromkeys(told.replace(",", " ").split()))
