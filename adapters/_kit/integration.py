"""An integration, put together from its folder: implements `domain.catalogue.Integration`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from adapters._kit import http
from adapters._kit.action import ActionDefinition, TypedAction
from adapters._kit.call import Call
from adapters._kit.manifest import ApiKey, Manifest
from adapters._kit.signing import basic, check_path, sign
from domain.catalogue import (
    Account,
    Action,
    AuthScheme,
    CallSetting,
    Category,
    Credential,
    Identity,
    OAuthApplication,
    Permission,
    Tier,
)
from domain.errors import AnswerGarbled, Misconfigured, Violation
from domain.json import Json, JsonObject
from domain.secrets import Secret


@dataclass(frozen=True, slots=True)
class Override:
    """What the operator sets for one integration. Addresses replace the manifest's."""

    client_id: str | None = None
    client_secret: Secret | None = None
    base_url: str | None = None
    authorize_url: str | None = None
    token_url: str | None = None
    revoke_url: str | None = None


class FolderIntegration:
    """One folder of `adapters/`. `sandbox_url` is where its simulated service is served, None for no such."""

    def __init__(
        self,
        manifest: Manifest,
        definitions: Sequence[ActionDefinition],
        transport: http.Transport,
        override: Override,
        sandbox_url: str | None,
    ) -> None:
        self._manifest = manifest
        self._transport = transport
        self._override = override
        self._sandbox_url = sandbox_url.rstrip("/") if sandbox_url else None
        self._typed = {
            typed.slug: typed
            for typed in sorted(
                (TypedAction(manifest.id, manifest.name, each) for each in definitions),
                key=lambda each: each.slug,
            )
        }
        needed = {scope for each in self._typed.values() for scope in each.required_scopes}
        unknown = needed.union(manifest.oauth2.always if manifest.oauth2 else ()) - set(manifest.scopes)
        if unknown:
            raise Misconfigured(f"{manifest.id}/manifest.toml does not explain the scopes {sorted(unknown)}.")

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
        flow, override, box = self._manifest.oauth2, self._override, self._manifest.sandbox
        if flow is None:
            return None
        if self._sandbox_url is not None and box is not None:
            addresses = (self._sandbox_url + box.authorize, self._sandbox_url + box.token)
            client = (box.client_id, Secret(box.client_secret))
        elif override.client_id and override.client_secret:
            addresses = (override.authorize_url or flow.authorize_url, override.token_url or flow.token_url)
            client = (override.client_id, override.client_secret)
        else:
            return None
        return OAuthApplication(
            authorize_url=addresses[0],
            token_url=addresses[1],
            revoke_url=override.revoke_url,
            client_id=client[0],
            client_secret=client[1],
            client_auth=flow.client_auth,
            scope_separator=flow.scope_separator,
            uses_pkce=flow.pkce,
            authorize_parameters=flow.parameters,
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
            Permission(scope, known[scope].explanation if scope in known else f"The permission `{scope}`.")
            for scope in scopes
        )

    def is_usable_scope(self, granted: Sequence[str], needed: str) -> bool:
        """Whether one of the granted scopes is, or includes, the needed one."""
        return any(scope == needed or needed in self._included(scope) for scope in granted)

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
        check = self._manifest.check
        path = check_path(self._manifest, setting.credential)
        answer = await self._call(setting).send(check.method, path, harmless=True)
        account, label = answer.at(check.account), answer.at(check.label)
        if not isinstance(account, (str, int)) or isinstance(account, bool) or account == "":
            raise AnswerGarbled(f"{self.name} did not say whose account this is.", status=answer.status)
        named = label if isinstance(label, str) and label else str(account)
        told = answer.headers.get(check.scopes_header) if check.scopes_header else None
        scopes = None if told is None else tuple(part.strip() for part in told.split(",") if part.strip())
        return Identity(Account(str(account), named[:200]), scopes)

    async def run(self, action: Action, parameters: JsonObject, setting: CallSetting) -> Json:
        """Run one action."""
        return await self._typed[action.slug].run(self._call(setting), parameters)

    async def revoke(self, setting: CallSetting) -> bool:
        """Ask the service to forget the credential. False when it offers no way."""
        how = self._manifest.revoke
        application = self.oauth
        if how is None or setting.credential.scheme is not AuthScheme.OAUTH2 or application is None:
            return False
        headers = basic(Secret(application.client_id), application.client_secret) if how.as_client else None
        token = setting.credential.secrets["access_token"]
        body: dict[str, Json] = {
            name: token.reveal() if value == "{access_token}" else value for name, value in how.json_body.items()
        }
        path = how.path.replace("{client_id}", application.client_id)
        await self._call(setting, headers).send(how.method, path, json=body or None)
        return True

    def _call(self, setting: CallSetting, headers: Mapping[str, str] | None = None) -> Call:
        return Call(
            self._transport,
            self._manifest,
            self._base_url(is_sandbox=setting.is_sandbox),
            headers if headers is not None else sign(self._manifest, setting.credential),
            key=setting.key,
            deadline_at=setting.deadline_at,
            account=setting.account,
            facts=setting.credential.facts,
        )

    def _base_url(self, *, is_sandbox: bool) -> str:
        """A simulated account never reaches the real service, nor a real one the simulation."""
        if not is_sandbox:
            return self._override.base_url or self._manifest.http.base_url
        if self._sandbox_url is None or self._manifest.sandbox is None:
            raise Misconfigured(f"This is a sandbox account, and {self.name}'s sandbox is not served here.")
        return self._sandbox_url + self._manifest.sandbox.api


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
        "required": [field.name for field in form.fields],
        "additionalProperties": False,
    }
