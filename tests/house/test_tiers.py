"""A manifest claims the tier that its integration has earned, no more and no less."""

import pytest

from adapters._kit.catalogue import manifest_of, slugs
from tests.house.tiers import evidence


@pytest.mark.parametrize("slug", slugs())
def test_the_claimed_tier_is_the_earned_one(slug: str) -> None:
    found = evidence(slug)
    assert manifest_of(slug).tier is found.tier, found.lacking


@pytest.mark.parametrize("slug", slugs())
def test_what_is_counted_is_there(slug: str) -> None:
    found = evidence(slug)
    assert found.held <= found.tested
    assert len(found.tested) <= found.built
