"""`manifest.toml` is read strictly, and a mistake names its file."""

from pathlib import Path

import pytest

from adapters._kit.catalogue import load
from adapters._kit.manifest import read_manifest
from domain.catalogue import AuthScheme
from domain.errors import Misconfigured
from tests.adapters.kit.sample import integration, manifest, yes_to_all
from tests.adapters.kit.test_action import moor

GOOD = """
id = "harbour"
name = "Harbour"
description = "Berths and boats."
category = "OTHER"
tier = "BRONZE"

[http]
base_url = "https://harbour.example/v1"

[check]
path = "me"
account = "id"
label = "name"
"""


def written(folder: Path, text: str) -> Path:
    home = folder / "harbour"
    home.mkdir()
    (home / "manifest.toml").write_text(text)
    return home / "manifest.toml"


def test_a_small_manifest_is_enough(tmp_path: Path) -> None:
    found = read_manifest(written(tmp_path, GOOD))
    assert (found.id, found.http.pages, found.auth_schemes) == ("harbour", None, ())


@pytest.mark.parametrize(
    ("mistake", "named"),
    [
        ('id = "harbour"\nid = "again"', "harbour/manifest.toml"),
        (GOOD + 'colour = "blue"', "colour"),
        (GOOD.replace('tier = "BRONZE"', 'tier = "MARBLE"'), "tier"),
        (GOOD.replace('id = "harbour"', 'id = "Har/bour"'), "id"),
        (GOOD.replace('label = "name"', ""), "label"),
        (GOOD + '[answers]\nerrors = { taken = "oh_no" }', "taken"),
        ("not toml", "harbour/manifest.toml"),
    ],
)
def test_a_mistake_names_the_file_and_the_place(tmp_path: Path, mistake: str, named: str) -> None:
    with pytest.raises(Misconfigured, match=r"harbour/manifest\.toml") as refused:
        read_manifest(written(tmp_path, mistake))
    assert named in refused.value.message


def test_all_mistakes_of_a_manifest_come_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('tier = "BRONZE"', 'tier = "MARBLE"').replace('label = "name"', "")
    with pytest.raises(Misconfigured) as refused:
        read_manifest(written(tmp_path, text))
    assert "tier" in refused.value.message
    assert "check.label" in refused.value.message


def test_a_folder_and_its_id_must_agree(tmp_path: Path) -> None:
    written(tmp_path, GOOD.replace('id = "harbour"', 'id = "haven"'))
    with pytest.raises(Misconfigured, match="folder and id must agree"):
        load(yes_to_all(), {}, {}, home=tmp_path)


def test_schemes_come_in_the_order_a_person_should_consider_them() -> None:
    flow = {"authorize_url": "https://a", "token_url": "https://t"}
    both = manifest(oauth2=flow, api_key={"sign": "bearer", "fields": []})
    assert both.auth_schemes == (AuthScheme.OAUTH2, AuthScheme.API_KEY)


def test_a_scope_nobody_explains_stops_the_start() -> None:
    with pytest.raises(Misconfigured, match="berths"):
        integration(yes_to_all(), [moor])
    flow = {"authorize_url": "https://a", "token_url": "https://t", "always": ["profile"]}
    with pytest.raises(Misconfigured, match="profile"):
        integration(yes_to_all(), oauth2=flow)


# -------------------------------------------------------------------------------------------------- families

SHARED = """
[http]
headers = { accept = "application/json", x-fleet = "one" }
[http.hosts]
crew = "https://crew.example"
[answers.errors]
full = "conflict"
"""


@pytest.fixture
def families(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "families").mkdir()
    (tmp_path / "families" / "ports.toml").write_text(SHARED)
    monkeypatch.setattr("adapters._kit.manifest._FAMILIES", tmp_path / "families")


@pytest.mark.usefixtures("families")
def test_what_a_family_shares_is_taken_and_a_manifest_goes_before_it(tmp_path: Path) -> None:
    own = 'family = "ports"\n' + GOOD + '[http.headers]\nx-fleet = "two"\n[answers.errors]\ngone = "not_found"\n'
    found = read_manifest(written(tmp_path, own))
    assert found.http.headers == {"accept": "application/json", "x-fleet": "two"}
    assert (found.http.base_url, found.http.hosts) == ("https://harbour.example/v1", {"crew": "https://crew.example"})
    assert found.answers.errors == {"full": "conflict", "gone": "not_found"}


@pytest.mark.usefixtures("families")
@pytest.mark.parametrize("family", ["seas", "../families/ports", ""])
def test_a_family_that_is_not_there_is_told(tmp_path: Path, family: str) -> None:
    with pytest.raises(Misconfigured, match=r"harbour/manifest\.toml"):
        read_manifest(written(tmp_path, f'family = "{family}"\n' + GOOD))
