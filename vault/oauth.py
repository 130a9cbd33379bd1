"""Obtaining a credential by OAuth 2.0: the authorisation code flow (RFC 6749, section 4.1) with PKCE (RFC 7636), and
refreshing one (section 6).

State is always checked by the caller of this module; PKCE is added wherever the service takes it.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode, urlsplit

from domain.catalogue import AuthScheme, Credential, OAuthApplication
from domain.errors import (
    AnswerGarbled,
    AnswerLost,
    NotSent,
    ProviderRefused,
    ReconnectNeeded,
    Rejected,
    SlowDown,
    Unavailable,
)
from domain.secrets import Secret

if TYPE_CHECKING:
    import httpx2

_CODE_REFUSED = "{} did not accept the authorisation. Start connecting again."
_MISCONFIGURED = "{} does not know this OAuth application. An operator must check its client id and secret."
_UNREACHABLE = "{} could not be reached to finish connecting. Start connecting again."
#: RFC 6749 gives these to the authorisation endpoint (4.1.2.1); some services say them here too.
_PASSING = frozenset({"temporarily_unavailable", "server_error"})
_LONGEST_FACT = 200
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
        "state": state,
        **_scope_parameters(application, scopes),
    }
    if application.uses_pkce:
        digest = hashlib.sha256(verifier.reveal().encode()).digest()
        query["code_challenge"] = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        query["code_challenge_method"] = "S256"
    joiner = "&" if urlsplit(application.authorize_url).query else "?"
    return f"{application.authorize_url}{joiner}{urlencode(query)}"


class OAuthClient:
    """Exchanges codes and refresh tokens. `transport` is the gateway's guarded way out."""

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
        return read_answer(cast(Mapping[str, object], answer), service, application)

    async def refresh(self, application: OAuthApplication, service: str, token: Secret) -> Obtained:
        """RFC 6749, section 6. What the service wrote is not repeated in any error:

        - ReconnectNeeded: it says that this refresh token is no longer any good.
        - SlowDown, Rejected, NotSent: it did not do it, and the token we have still holds.
        - Unavailable, AnswerLost, AnswerGarbled: it may have done it.
        """
        import httpx2

        form = {"grant_type": "refresh_token", "refresh_token": token.reveal()}
        secret = application.client_secret.reveal()
        auth: httpx2.BasicAuth | None = None
        if application.client_auth == "client_secret_basic":
            auth = httpx2.BasicAuth(application.client_id, secret)
        else:
            form |= {"client_id": application.client_id, "client_secret": secret}
        client = httpx2.AsyncClient(transport=self._transport, trust_env=False, follow_redirects=False, auth=auth)
        try:
            answer = await client.post(application.token_url, data=form, headers={"accept": "application/json"})
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.LocalProtocolError):
            raise NotSent(f"{service} could not be reached to renew the access.") from None
        except (httpx2.HTTPError, OSError):
            raise AnswerLost(f"{service} did not answer when asked to renew the access.") from None
        return read_refresh(application, service, answer.status_code, answer.content)


def read_refresh(application: OAuthApplication, service: str, status: int, body: bytes) -> Obtained:
    """What a token endpoint said to a refresh token (RFC 6749, sections 5.1 and 5.2). Raises as `refresh` does.

    Some services say no with 200, so the status decides only where it says that the service is in trouble.
    """
    if status >= 500:
        raise Unavailable(f"{service} is in trouble and did not renew the access.", status=status)
    if status == 429:
        raise SlowDown(f"{service} was asked too often to renew the access.", status=status)
    answer = _members(body)
    error = answer.get("error")
    if isinstance(error, str):
        if error == "invalid_grant" or error in application.refresh_ended:
            message = f"{service} no longer renews this access. A person must reconnect the account."
            raise ReconnectNeeded(message, status=status)
        if error in _OUR_FAULTS:
            raise Rejected(_MISCONFIGURED.format(service), status=status)
        if error in _PASSING:
            raise Unavailable(f"{service} is in trouble and did not renew the access.", status=status)
    if status >= 400 or error:
        raise Rejected(f"{service} did not accept the request to renew the access.", status=status)
    try:
        return read_answer(answer, service, application)
    except ProviderRefused:
        raise AnswerGarbled(f"{service} answered something else than a renewed access.", status=status) from None


def _members(body: bytes) -> Mapping[str, object]:
    """The members of a JSON object; none when it is anything else."""
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read_answer(answer: Mapping[str, object], service: str, application: OAuthApplication | None = None) -> Obtained:
    """A token endpoint's answer (RFC 6749, section 5.1). Raises ProviderRefused when it holds no token.

    Of further members only those are read that the application names.
    """
    token = answer.get("access_token")
    if not isinstance(token, str) or not token:
        raise ProviderRefused(_CODE_REFUSED.format(service))
    found = {"access_token": Secret(token)}
    refresh = answer.get("refresh_token")
    if isinstance(refresh, str) and refresh:
        found["refresh_token"] = Secret(refresh)
    expires_at, scopes = _moment(answer.get("expires_in")), _scopes(answer.get("scope"))
    for further in application.further if application else ():
        held = answer.get(further.member)
        other = held.get("access_token") if isinstance(held, Mapping) else None
        if isinstance(held, Mapping) and isinstance(other, str) and other:
            found[further.secret] = Secret(other)
            scopes = (*(scopes or ()), *(_scopes(held.get("scope")) or ())) or None
    facts = _facts(answer, application.facts if application else ())
    return Obtained(Credential(AuthScheme.OAUTH2, found, facts, expires_at), scopes, expires_at)


def _scope_parameters(application: OAuthApplication, scopes: Sequence[str]) -> dict[str, str]:
    """What is asked for, each token's scopes in its own parameter."""
    asked: dict[str, str] = {}
    left = list(scopes)
    for further in application.further:
        its = [scope for scope in left if scope in further.scopes]
        left = [scope for scope in left if scope not in further.scopes]
        if its:
            asked[further.parameter] = application.scope_separator.join(its)
    return {"scope": application.scope_separator.join(left), **asked}


def _facts(answer: Mapping[str, object], names: Sequence[str]) -> dict[str, str]:
    """The named members that are short plain texts or numbers; a service leaves out, or nulls, what there is not."""
    found: dict[str, str] = {}
    for name in names:
        value = answer.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            text = str(value)
            if 0 < len(text) <= _LONGEST_FACT and text.isascii() and text.isprintable():
                found[name] = text
    return found


def _moment(lifetime: object) -> datetime | None:
    """When the token ends; None when it was not said, or makes no sense."""
    digits = str(lifetime)
    if digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits) > 0:
        return datetime.now(UTC) + timedelta(seconds=int(digits))
    return None


def _scopes(told: object) -> tuple[str, ...] | None:
    """RFC 6749 separates with spaces; GitHub and Slack answer with commas.

    A scope has at least one character (section 3.3), so an empty text says nothing: what a GitHub App may do is no
    matter of scopes, and its answers hold one.
    """
    if not isinstance(told, str):
        return None
    return tuple(dict.fromkeys(told.replace(",", " ").split())) or None
