"""Which services a business needs, and why: rules that are data (`recommendations.toml`), applied to what it says.

Every recommendation can be explained: its reason quotes the words of the profile that a rule was about. A service where
the business already has an account goes before another that meets the same need, and is never left out.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from domain.callers import Caller
from domain.catalogue import Action, Catalogue, Integration
from domain.errors import InvalidInput
from resolvers.ranking import stems
from resolvers.services import Services

_DATA = Path(__file__).parent / "recommendations.toml"
_MOST, _LONGEST = 50, 200


@dataclass(frozen=True, slots=True)
class Profile:
    """What a business says about itself."""

    application_type: str
    features: Sequence[str] = ()
    go_to_market: Sequence[str] = ()
    existing_accounts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A service, why, and what agents would do there. `scopes` is the least that those actions need."""

    integration: Integration
    reason: str
    is_required: bool
    actions: Sequence[Action]
    scopes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Need:
    """What services meet it, the first one first, and their actions for it."""

    services: tuple[str, ...]
    actions: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Rule:
    """When one of the words is said in the field, there is the need."""

    need: str
    field: str
    words: tuple[tuple[str, ...], ...]
    is_required: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The data, read."""

    needs: Mapping[str, Need]
    rules: tuple[Rule, ...]
    accounts: Mapping[tuple[str, ...], tuple[str, ...]]


@dataclass(slots=True)
class _Gathered:
    """What speaks for one service."""

    needs: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    is_required: bool = False


def recommend_integrations(services: Services, caller: Caller, profile: Profile) -> list[Recommendation]:
    """What is required first, then what is useful. Raises InvalidInput."""
    caller.require("recommendIntegrations")
    _check(profile)
    return recommended(services.catalogue, profile)


def recommended(catalogue: Catalogue, profile: Profile) -> list[Recommendation]:
    """From the catalogue and the profile alone."""
    rules = read_rules()
    known = _accounts(catalogue, rules, profile.existing_accounts)
    gathered: dict[str, _Gathered] = {}
    for rule in rules.rules:
        said = _what_was_said(rule, profile)
        slug = _service(catalogue, rules.needs[rule.need], known)
        if said is None or slug is None:
            continue
        one = gathered.setdefault(slug, _Gathered())
        one.is_required |= rule.is_required
        if rule.need not in one.needs:
            one.needs.append(rule.need)
        # The first rule of a need speaks for it, unless a later one says that it cannot be done without.
        if rule.need not in one.reasons or rule.is_required:
            one.reasons.setdefault(rule.need, f"You said “{said}”: {rule.reason}.")
    for slug, name in known.items():
        gathered.setdefault(slug, _Gathered()).reasons["account"] = (
            f"You already have an account with {name}, so agents can work there at once."
        )
    found = [_recommendation(catalogue, rules, slug, one) for slug, one in gathered.items()]
    return sorted(found, key=lambda each: not each.is_required)


@cache
def read_rules() -> Rules:
    """The data. Read once."""
    told = tomllib.loads(_DATA.read_text())
    return Rules(
        needs={
            name: Need(tuple(need["services"]), {slug: tuple(its) for slug, its in need["actions"].items()})
            for name, need in told["needs"].items()
        },
        rules=tuple(
            Rule(
                need=rule["need"],
                field=rule["field"],
                words=tuple(tuple(stems(word)) for word in rule["words"]),
                is_required=rule["required"],
                reason=rule["reason"],
            )
            for rule in told["rules"]
        ),
        accounts={tuple(stems(name)): tuple(slugs) for name, slugs in told["accounts"].items()},
    )


def _check(profile: Profile) -> None:
    lists = {
        "features": profile.features,
        "goToMarket": profile.go_to_market,
        "existingAccounts": profile.existing_accounts,
    }
    for name, said in {"applicationType": [profile.application_type], **lists}.items():
        if len(said) > _MOST or any(len(each) > _LONGEST for each in said):
            raise InvalidInput(f"At most {_MOST} entries of {_LONGEST} characters.", ("profile", name))


def _what_was_said(rule: Rule, profile: Profile) -> str | None:
    """The entry of the profile that the rule is about, as it was written."""
    fields: Mapping[str, Sequence[str]] = {
        "applicationType": [profile.application_type],
        "features": profile.features,
        "goToMarket": profile.go_to_market,
    }
    for entry in fields[rule.field]:
        said = stems(entry)
        if any(_stands_in(word, said) for word in rule.words):
            return " ".join(entry.split())
    return None


def _stands_in(word: tuple[str, ...], said: Sequence[str]) -> bool:
    return any(tuple(said[at : at + len(word)]) == word for at in range(len(said) - len(word) + 1))


def _accounts(catalogue: Catalogue, rules: Rules, named: Iterable[str]) -> dict[str, str]:
    """The integrations that the named accounts are at, each with the name it was given."""
    by_name = {
        tuple(stems(name)): (each.slug,) for each in catalogue.integrations.values() for name in (each.slug, each.name)
    }
    found: dict[str, str] = {}
    for name in named:
        said = tuple(stems(name))
        for slug in by_name.get(said) or rules.accounts.get(said, ()):
            if slug in catalogue.integrations:
                found.setdefault(slug, " ".join(name.split()))
    return found


def _service(catalogue: Catalogue, need: Need, known: Mapping[str, str]) -> str | None:
    """The one the business has, else the first that this deployment offers."""
    offered = [slug for slug in need.services if slug in catalogue.integrations]
    return next((slug for slug in offered if slug in known), offered[0] if offered else None)


def _recommendation(catalogue: Catalogue, rules: Rules, slug: str, one: _Gathered) -> Recommendation:
    integration = catalogue.integrations[slug]
    needs = one.needs or [name for name, need in rules.needs.items() if slug in need.services][:1]
    names = dict.fromkeys(name for need in needs for name in rules.needs[need].actions.get(slug, ()))
    actions = [integration.actions[f"{slug}.{name}"] for name in names if f"{slug}.{name}" in integration.actions]
    return Recommendation(
        integration=integration,
        reason=" ".join(dict.fromkeys(one.reasons.values())),
        is_required=one.is_required,
        actions=actions,
        scopes=integration.scopes_for(actions),
    )
