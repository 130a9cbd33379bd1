"""An integration, put together from its folder: implements `domain.catalogue.Integration`."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from uuid import UUID

from adapters._kit import http
from adapters._kit.action import ActionDefinition, TypedAction
from adapters._kit.call import Call
from adapters._kit.manifest import ApiKey, Manifest
from adapters._kit.preview import Showing, first_request
from adapters._kit.signing import basic, bearer, check_path, facts_of, fill, mode_of, others_of, sign, sign_for
from domain.catalogue import (
    Account,
    Action,
    AuthScheme,
    CallSetting,
    Category,
    Credential,
    FurtherToken,
    Identity,
    OAuthApplication,
    Permission,
    Probed,
    Refreshing,
    Tier,
)
from domain.errors import AnswerGarbled, Forbidden, Misconfigured, ReconnectNeeded, Violation
from domain.json import Json, JsonObject
from domain.secrets import Secret


@dataclass(frozen=True, slots=True)
class Override:
    """What the operator sets for one integration. Addresses replace the manifest's.

    A named host without an address here goes where `base_url` says when that is set: a service of the operator's own
    is then never half theirs and half the real one.
    """

    client_id: str | None = None
    client_secret: Secret | None = None
    base_url: str | None = None
    authorize_url: str | None = None
    token_url: str | None = None
    revoke_url: str | None = None
    hosts: Mapping[str, str] | None = None


class FolderIntegration:
    """One folder of `adapters/`. `sandbox_url` is where its simulated service is served, None for no such.

    Where `definitions` is a function, actions are read when first asked for: most of a gateway's start would go
    into modules that nobody calls. It may be asked in any thread.
    """

    def __init__(
        self,
        manifest: Manifest,
        definitions: Sequence[ActionDefinition] | Callable[[], Sequence[ActionDefinition]],
        transport: http.Transport,
        override: Override,
        sandbox_url: str | None,
    ) -> None:
        self._manifest = manifest
        self._transport = transport
        self._override = override
        self._sandbox_url = sandbox_url.rstrip("/") if sandbox_url else None
        self._definitions = definitions
        if strange := sorted(set(override.hosts or ()) - set(manifest.http.hosts)):
            known = ", ".join(manifest.http.hosts) or "none"
            raise Misconfigured(f"[integrations.{manifest.id}.hosts] names {strange[0]!r}. There are: {known}.")
        if not callable(definitions):
            _ = self._typed

    @cached_property
    def _typed(self) -> Mapping[str, TypedAction]:
        manifest = self._manifest
        definitions = self._definitions() if callable(self._definitions) else self._definitions
        found = [TypedAction(manifest.id, manifest.name, each) for each in definitions]
        needed = {scope for each in found for scope in each.required_scopes}
        unknown = needed.union(manifest.oauth2.always if manifest.oauth2 else ()) - set(manifest.scopes)
        if unknown:
            raise Misconfigured(f"{manifest.id}/manifest.toml does not explain the scopes {sorted(unknown)}.")
        return {each.slug: each for each in sorted(found, key=lambda each: each.slug)}

    # -------------------------------------------------------------------------------------------- facts

    @property
    def slug(self) -> str:
        """e.g. `github`."""
        return self._manifest.id

    @property
    def name(self) -> str:
        """As its owners write it."""
        return self._manifest.name

    @property
    def description(self) -> str:
        """One sentence."""
        return self._manifest.description

    @property
    def category(self) -> Category:
        """Where a person would look for it."""
        return self._manifest.category

    @property
    def tier(self) -> Tier:
        """How far it has proved itself."""
        return self._manifest.tier

    @property
    def auth_schemes(self) -> tuple[AuthScheme, ...]:
        """In the order a person should consider them."""
        return self._manifest.auth_schemes

    @property
    def documentation_url(self) -> str | None:
        """The service's own documentation."""
        return self._manifest.documentation_url

    @property
    def is_sandbox(self) -> bool:
        """Whether new connections are to the simulated service."""
        return self._sandbox_url is not None

    @property
    def actions(self) -> Mapping[str, Action]:
        """By qualified slug."""
        return self._typed

    @cached_property
    def credential_schema(self) -> JsonObject | None:
        """JSON Schema of what a person pastes; `writeOnly` marks secrets (2020-12, validation, 9.4)."""
        return _form_schema(self._manifest.api_key) if self._manifest.api_key else None

    @cached_property
    def oauth(self) -> OAuthApplication | None:
        """Our application at the service; None when there is none to act as."""
        override, box = self._override, self._manifest.sandbox
        if self._sandbox_url is not None and box is not None:
            addresses = (self._sandbox_url + box.authorize, self._sandbox_url + box.token)
            return self._application(addresses, (box.client_id, Secret(box.client_secret)))
        if override.client_id and override.client_secret:
            return self._application(self._addresses, (override.client_id, override.client_secret))
        return None

    @property
    def takes_applications(self) -> bool:
        """Not the simulated service, and not one whose calls are signed by the application itself."""
        flow = self._manifest.oauth2
        return flow is not None and flow.account_header is None and self._sandbox_url is None

    def oauth_as(self, client_id: str, client_secret: Secret) -> OAuthApplication | None:
        """As a tenant's own application."""
        if not self.takes_applications:
            return None
        application = self._application(self._addresses, (client_id, client_secret))
        return application and replace(application, is_tenant_owned=True)

    @property
    def _addresses(self) -> tuple[str, str] | None:
        """Where the real service authorises and gives tokens; None while a part of it is for the operator to say."""
        flow, override = self._manifest.oauth2, self._override
        if flow is None or not (override.authorize_url or "{" not in flow.authorize_url):
            return None
        return override.authorize_url or flow.authorize_url, override.token_url or flow.token_url

    def _application(self, addresses: tuple[str, str] | None, client: tuple[str, Secret]) -> OAuthApplication | None:
        flow = self._manifest.oauth2
        if flow is None or addresses is None:
            return None
        return OAuthApplication(
            authorize_url=addresses[0],
            token_url=addresses[1],
            revoke_url=self._override.revoke_url,
            client_id=client[0],
            client_secret=client[1],
            client_auth=flow.client_auth,
            scope_separator=flow.scope_separator,
            uses_pkce=flow.pkce,
            authorize_parameters=flow.parameters,
            refreshing=Refreshing(flow.refresh),
            refresh_ended=flow.refresh_ended,
            ends_together=flow.ends_together,
            facts=flow.facts,
            further=tuple(
                FurtherToken(each.secret, each.member, each.parameter, each.scopes)
                for each in self._manifest.tokens.values()
                if each.member and each.parameter
            ),
        )

    # ------------------------------------------------------------------------------------------- scopes

    def scopes_for(self, actions: Sequence[Action]) -> tuple[str, ...]:
        """The least scopes for these actions, in the manifest's order, without those a wider one includes."""
        wanted = set(self._manifest.oauth2.always if self._manifest.oauth2 else ())
        wanted |= {scope for each in actions for scope in each.required_scopes}
        included = {narrower for scope in wanted for narrower in self._included(scope)}
        return tuple(scope for scope in self._manifest.scopes if scope in wanted - included)

    def explain(self, scopes: Sequence[str]) -> tuple[Permission, ...]:
        """Each scope in plain words."""
        known = self._manifest.scopes
        return tuple(
            Permission(scope, known[plain].explanation if plain in known else f"The permission `{scope}`.")
            for scope, plain in ((each, self._plain(each)) for each in scopes)
        )

    def is_usable_scope(self, granted: Sequence[str], needed: str) -> bool:
        """Whether one of the granted scopes is, or includes, the needed one."""
        return any(scope == needed or needed in self._included(scope) for scope in map(self._plain, granted))

    def _plain(self, scope: str) -> str:
        """As the manifest writes it: without what the service may put before it."""
        return scope.removeprefix(self._manifest.oauth2.scope_prefix) if self._manifest.oauth2 else scope

    def _included(self, scope: str) -> frozenset[str]:
        known = self._manifest.scopes.get(scope)
        direct = known.includes if known else ()
        return frozenset(direct).union(*(self._included(each) for each in direct))

    # ------------------------------------------------------------------------------------------ accounts

    def check_credentials(self, fields: Json) -> tuple[Violation, ...]:
        """Every mistake in what a person typed. A value is never repeated."""
        form = self._manifest.api_key
        if form is None or not isinstance(fields, Mapping):
            return (Violation("", "Give an object with the fields of `credentialSchema`."),)
        known = {field.name for field in form.fields}
        mistakes = [Violation(f"/{name}", "There is no such field.") for name in fields if name not in known]
        for field in form.fields:
            value = fields.get(field.name)
            if field.name not in fields and not field.required:
                continue
            if not isinstance(value, str) or not value:
                mistakes.append(Violation(f"/{field.name}", "This field is required."))
            elif len(value) > field.largest:
                mistakes.append(Violation(f"/{field.name}", f"At most {field.largest} characters."))
            elif not value.isascii() or not value.isprintable() or " " in value:
                mistakes.append(Violation(f"/{field.name}", "Only visible ASCII characters, without spaces."))
            elif field.pattern and not re.fullmatch(field.pattern, value):
                mistakes.append(
                    Violation(f"/{field.name}", "This does not have the form that the field's description gives.")
                )
        return tuple(mistakes)

    async def identify(self, setting: CallSetting) -> Identity:
        """Who is this, and what was granted?"""
        check, facts = self._manifest.check, facts_of(self._manifest, setting.credential)
        signed = self._signed(setting)
        call = self._call(setting, signed).on(check.host)
        given = next((each for fact, each in check.given.items() if fact in facts), None)
        path = fill(given.path, facts) if given else check_path(self._manifest, setting.credential)
        with self._our_own_key(setting):
            answer = await call.send(check.method, path, json={**check.json_body} or None, harmless=True)
        asked = given or check
        account, labels = answer.at(asked.account), [answer.at(each) for each in (asked.label, *check.label_else)]
        if not isinstance(account, (str, int)) or isinstance(account, bool) or account == "":
            raise AnswerGarbled(f"{self.name} did not say whose account this is.", status=answer.status)
        named = next((label for label in labels if isinstance(label, str) and label), str(account))
        if mode := mode_of(self._manifest, signed):
            account, named = f"{account}:{mode}", f"{named} ({mode} mode)"
        told = answer.headers.get(check.scopes_header) if check.scopes_header else None
        scopes = None if told is None else tuple(part.strip() for part in told.split(",") if part.strip())
        if scopes is not None:
            scopes = tuple(dict.fromkeys((*scopes, *await self._further_scopes(call, setting))))
        return Identity(Account(str(account), named[:200]), scopes)

    async def _further_scopes(self, call: Call, setting: CallSetting) -> Sequence[str]:
        """What the connection's further tokens carry, asked as the first was."""
        check, found = self._manifest.check, list[str]()
        for name in others_of(self._manifest, setting.credential):
            path = check_path(self._manifest, setting.credential)
            answer = await call.acting_as(name).send(check.method, path, harmless=True)
            found += (part.strip() for part in answer.headers.get(check.scopes_header or "", "").split(","))
        return [scope for scope in found if scope]

    async def run(self, action: Action, parameters: JsonObject, setting: CallSetting) -> Json:
        """Run one action."""
        with self._our_own_key(setting):
            return await self._typed[action.slug].run(self._call(setting), parameters)

    async def probe(self, action: Action, parameters: JsonObject, setting: CallSetting) -> Probed | None:
        """Look for the effect of one run."""
        with self._our_own_key(setting):
            return await self._typed[action.slug].probe(self._call(setting), parameters)

    async def preview(
        self, action: Action, parameters: JsonObject, account: Account | None, *, is_sandbox: bool
    ) -> JsonObject | None:
        """The first request of a run, without the credential: it is neither opened nor needed."""
        call = Call(
            Showing(),
            self._manifest,
            self._base_url(is_sandbox=is_sandbox),
            {},
            key=UUID(int=0),
            deadline_at=datetime.now(UTC) + timedelta(seconds=30),
            account=account,
            hosts=self._hosts(is_sandbox=is_sandbox),
            others={name: {} for name in self._manifest.tokens},
        )
        return await first_request(self._typed[action.slug].run(call, parameters))

    async def revoke(self, setting: CallSetting) -> bool:
        """Ask the service to forget the credential. False when it offers no way."""
        how = self._manifest.revoke
        application = setting.application or self.oauth
        if how is None or setting.credential.scheme is not AuthScheme.OAUTH2 or application is None:
            return False
        headers: Mapping[str, str] | None = {} if how.unsigned else None
        if how.as_client:
            headers = self._as_client(application)
        body: dict[str, Json] = {**_filled(how.json_body, setting.credential)}
        named = {"{client_id}": application.client_id}
        if setting.account is not None:
            named["{account}"] = setting.account.id.partition(":")[0]
        elif "{account}" in how.form.values():
            return False
        form = {name: named.get(value, value) for name, value in _filled(how.form, setting.credential).items()}
        facts = facts_of(self._manifest, setting.credential)
        if not facts.keys() >= set(how.facts):
            return False
        path = fill(how.path.replace("{client_id}", application.client_id), facts)
        call = self._call(setting, headers).on(how.host)
        query = {name: facts[fact] for name, fact in how.query.items() if fact in facts}
        await call.send(how.method, path, query=query, json=body or None, form=form or None)
        if headers is None:
            for name in others_of(self._manifest, setting.credential):
                await call.acting_as(name).send(how.method, path, json=body or None, form=form or None)
        return True

    def _call(self, setting: CallSetting, headers: Mapping[str, str] | None = None) -> Call:
        return Call(
            self._transport,
            self._manifest,
            self._base_url(is_sandbox=setting.is_sandbox),
            headers if headers is not None else self._signed(setting),
            key=setting.key,
            deadline_at=setting.deadline_at,
            account=setting.account,
            facts=facts_of(self._manifest, setting.credential),
            hosts=self._hosts(is_sandbox=setting.is_sandbox),
            others=others_of(self._manifest, setting.credential),
        )

    def _signed(self, setting: CallSetting) -> dict[str, str]:
        """With the account's own credential, or as our application where the service wants that."""
        header = self._account_header(setting)
        if header is None or setting.account is None:
            return sign(self._manifest, setting.credential)
        secret = self._override.client_secret
        if setting.is_sandbox and self._manifest.sandbox is not None:
            secret = Secret(self._manifest.sandbox.client_secret)
        if secret is None:
            raise Misconfigured(f"{self.name} has no OAuth application any more, and its calls are signed by it.")
        return sign_for(self._manifest, header, secret, setting.account)

    def _account_header(self, setting: CallSetting) -> str | None:
        """What names the account in calls that our application signs; None where its own credential does."""
        flow, is_oauth = self._manifest.oauth2, setting.credential.scheme is AuthScheme.OAUTH2
        return flow.account_header if flow is not None and is_oauth and setting.account is not None else None

    @contextmanager
    def _our_own_key(self, setting: CallSetting) -> Iterator[None]:
        """A 401 to what our application signed is about our key: no person mends that by reconnecting an account."""
        try:
            yield
        except ReconnectNeeded as problem:
            if problem.status != 401 or self._account_header(setting) is None:
                raise
            message = f"{self.name} does not accept the key of Mandate's own application. An operator must check it."
            ours = Forbidden(message, status=problem.status)
            ours.may_have_happened = problem.may_have_happened
            raise ours from None

    def _as_client(self, application: OAuthApplication) -> dict[str, str]:
        if self._manifest.oauth2 is not None and self._manifest.oauth2.account_header:
            return bearer(application.client_secret)
        return basic(Secret(application.client_id), application.client_secret)

    def _base_url(self, *, is_sandbox: bool) -> str:
        """A simulated account never reaches the real service, nor a real one the simulation."""
        if not is_sandbox:
            return self._override.base_url or self._manifest.http.base_url
        if self._sandbox_url is None or self._manifest.sandbox is None:
            raise Misconfigured(f"This is a sandbox account, and {self.name}'s sandbox is not served here.")
        return self._sandbox_url + self._manifest.sandbox.api

    def _hosts(self, *, is_sandbox: bool) -> Mapping[str, str]:
        """Likewise, by name. Asked for after `_base_url`, which refuses a sandbox that is not served."""
        if is_sandbox and self._manifest.sandbox is not None:
            return {name: f"{self._sandbox_url}{path}" for name, path in self._manifest.sandbox.hosts.items()}
        own, named = self._override, self._override.hosts or {}
        return {name: named.get(name) or own.base_url or url for name, url in self._manifest.http.hosts.items()}


def _filled(body: Mapping[str, str], credential: Credential) -> dict[str, str]:
    """With the credential's tokens in their places."""
    access = credential.secrets["access_token"]
    refresh = credential.secrets.get("refresh_token", access)
    tokens = {"{access_token}": access, "{refresh_token}": refresh}
    return {name: tokens[value].reveal() if value in tokens else value for name, value in body.items()}


def credential_from_fields(fields: Mapping[str, str]) -> Credential:
    """What a person pasted, as a credential."""
    return Credential(AuthScheme.API_KEY, {name: Secret(value) for name, value in fields.items()}, {})


def _form_schema(form: ApiKey) -> JsonObject:
    properties: dict[str, Json] = {}
    for field in form.fields:
        shape: dict[str, Json] = {
            "type": "string",
            "title": field.title,
            "description": field.description,
            "minLength": 1,
            "maxLength": field.largest,
        }
        if field.pattern:
            shape["pattern"] = f"^(?:{field.pattern})$"
        if field.secret:
            shape |= {"writeOnly": True, "format": "password"}
        properties[field.name] = shape
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": [field.name for field in form.fields if field.required],
        "additionalProperties": False,
    }
