"""The page of integrations says what the catalogue holds."""

from tests.house.integrations import PAGE, page
from tests.house.tiers import catalogue


def test_the_page_is_what_the_catalogue_says() -> None:
    renew = "Renew it with `.venv/bin/python -m tests.house.integrations`."
    assert PAGE.read_text() == page(), renew


def test_it_names_every_integration_and_every_action() -> None:
    text = PAGE.read_text()
    for integration in catalogue().values():
        assert f"## {integration.name}\n" in text
        assert [slug for slug in integration.actions if f"`{slug}`" not in text] == []
