"""What a business is told it needs, and why."""

from collections.abc import Sequence

import pytest

from adapters._kit.catalogue import FolderCatalogue, load
from adapters._kit.http import CannedTransport, Incoming
from resolvers.recommending import Profile, Recommendation, read_rules, recommended


@pytest.fixture(scope="module")
def catalogue() -> FolderCatalogue:
    return load(CannedTransport(lambda _: Incoming(200, {}, b"")), {}, {})


def told(
    catalogue: FolderCatalogue,
    application_type: str,
    features: Sequence[str] = (),
    go_to_market: Sequence[str] = (),
    accounts: Sequence[str] = (),
) -> dict[str, Recommendation]:
    found = recommended(catalogue, Profile(application_type, features, go_to_market, accounts))
    assert [each.is_required for each in found] == sorted((each.is_required for each in found), reverse=True)
    return {each.integration.slug: each for each in found}


def required(found: dict[str, Recommendation]) -> set[str]:
    return {slug for slug, each in found.items() if each.is_required}


def test_a_saas_needs_code_hosting_a_domain_and_subscriptions(catalogue: FolderCatalogue) -> None:
    found = told(catalogue, "B2B SaaS", ["subscriptions", "e-mail notifications"], ["SEO"])
    assert required(found) == {"github", "vercel", "cloudflare", "stripe", "gmail", "google_analytics"}
    assert "slack" in found
    assert not found["slack"].is_required


def test_a_shop_needs_payments_and_not_subscriptions(catalogue: FolderCatalogue) -> None:
    stripe = told(catalogue, "e-commerce")["stripe"]
    names = {each.slug for each in stripe.actions}
    assert "stripe.create_payment_link" in names
    assert "stripe.set_up_subscription" not in names


def test_every_reason_quotes_what_was_said(catalogue: FolderCatalogue) -> None:
    found = told(catalogue, "Marketplace for boats", ["Online  checkout"], ["content marketing"])
    for each in found.values():
        assert any(
            f"“{said}”" in each.reason for said in ("Marketplace for boats", "Online checkout", "content marketing")
        )
        assert each.reason.endswith(".")


def test_an_account_that_is_there_goes_before_another_service(catalogue: FolderCatalogue) -> None:
    found = told(catalogue, "saas", ["e-mail support"], accounts=["name.com", "Outlook"])
    assert "namecom" in found
    assert "cloudflare" not in found
    assert "gmail" not in found
    assert found["microsoft365"].is_required
    assert "account with Outlook" in found["microsoft365"].reason


@pytest.mark.parametrize("name", ["stripe", "Stripe", "STRIPE"])
def test_an_account_is_known_by_slug_and_by_name(catalogue: FolderCatalogue, name: str) -> None:
    found = told(catalogue, "something unheard of", accounts=[name, "a service nobody knows"])
    assert list(found) == ["stripe"]
    assert not found["stripe"].is_required
    assert found["stripe"].actions


def test_a_profile_that_says_nothing_gets_nothing(catalogue: FolderCatalogue) -> None:
    assert told(catalogue, "") == {}
    assert told(catalogue, "😀", ["???"]) == {}


def test_the_scopes_are_the_least_for_the_suggested_actions(catalogue: FolderCatalogue) -> None:
    for each in told(catalogue, "saas", ["payments"], ["email"]).values():
        assert list(each.scopes) == list(each.integration.scopes_for(each.actions))


def test_a_word_within_another_is_not_that_word(catalogue: FolderCatalogue) -> None:
    assert "stripe" not in told(catalogue, "", ["repaying karma"])  # `pay` stands in it


def test_a_service_that_is_not_offered_is_passed_over(catalogue: FolderCatalogue) -> None:
    smaller = FolderCatalogue([each for slug, each in catalogue.integrations.items() if slug != "cloudflare"])
    assert "namecom" in told(smaller, "saas")


def test_rules_name_what_exists(catalogue: FolderCatalogue) -> None:
    rules = read_rules()
    for rule in rules.rules:
        assert rule.need in rules.needs
        assert rule.field in ("applicationType", "features", "goToMarket")
        assert rule.words
        assert all(rule.words)
    offered = [slug for need in rules.needs.values() for slug in need.services]
    assert set(offered) <= set(catalogue.integrations)
    assert {slug for slugs in rules.accounts.values() for slug in slugs} <= set(catalogue.integrations)
    for need in rules.needs.values():
        assert set(need.actions) == set(need.services)
        for slug, names in need.actions.items():
            assert [name for name in names if f"{slug}.{name}" not in catalogue.integrations[slug].actions] == []
