"""What the manifest says of Google Drive, and how a connection is proved and ended."""

import pytest

from adapters._kit.catalogue import load, manifest_of
from adapters._kit.http import CannedTransport, NotSent
from adapters._kit.sandbox_google import TOKEN_IDENTITY
from adapters.google_drive.parameters import CHANGE_ALL, OWN_FILES, READ_ALL, SEE_ALL
from domain.catalogue import Effect, Integration
from domain.errors import ReconnectNeeded, ScopeMissing
from tests.adapters.google_drive.conftest import DESCRIPTION, practice
from tests.support.trials import Trial

IDENTITY = ("openid", "https://www.googleapis.com/auth/userinfo.email")
TABLE = {
    "get_account",
    "list_files",
    "get_file",
    "get_file_content",
    "export_file",
    "create_file",
    "create_folder",
    "update_file",
    "copy_file",
    "generate_ids",
    "delete_file",
    "list_permissions",
    "share_file",
    "unshare_file",
}
COMPOSED = {
    "search_files",
    "find_created_file",
    "read_file",
    "replace_file_content",
    "move_file",
    "trash_file",
    "share_file_with_everyone",
}


@pytest.fixture(scope="module")
def offline() -> Integration:
    return load(CannedTransport(lambda _: NotSent("connect_failed")), {}, {}).integrations["google_drive"]


def test_every_curated_action_is_there(offline: Integration) -> None:
    assert {slug.partition(".")[2] for slug in offline.actions} == TABLE | COMPOSED


@pytest.mark.parametrize(
    ("actions", "scopes"),
    [
        (["create_file", "share_file"], OWN_FILES),
        (["search_files"], SEE_ALL),
        (["search_files", "read_file"], READ_ALL),
        (["search_files", "create_file"], (*SEE_ALL, *OWN_FILES)),
        (["move_file", "read_file", "create_file"], CHANGE_ALL),
    ],
)
def test_scopes_are_the_least_for_what_is_asked(
    offline: Integration, actions: list[str], scopes: tuple[str, ...]
) -> None:
    found = offline.scopes_for([offline.actions[f"google_drive.{name}"] for name in actions])
    assert set(found) == {*IDENTITY, *scopes}


def test_the_widest_permission_serves_every_action(offline: Integration) -> None:
    for action in offline.actions.values():
        assert all(offline.is_usable_scope(CHANGE_ALL, scope) for scope in action.required_scopes), action.slug


def test_what_cannot_be_undone_is_destructive(offline: Integration) -> None:
    found = {slug.partition(".")[2] for slug, each in offline.actions.items() if each.effect is Effect.DESTRUCTIVE}
    assert found == {"delete_file", "unshare_file", "share_file_with_everyone"}


def test_who_sees_only_own_files_is_told_so(offline: Integration) -> None:
    for name in ("get_file", "get_file_content", "export_file", "update_file", "share_file"):
        assert "made with" in offline.actions[f"google_drive.{name}"].description


def test_users_find_actions_by_their_own_words(offline: Integration) -> None:
    for words, name in [("Upload", "create_file"), ("trash", "trash_file"), ("public", "share_file_with_everyone")]:
        assert words in offline.actions[f"google_drive.{name}"].description


def test_the_description_holds_the_routes_of_the_table_and_the_uploads() -> None:
    assert "GET /drive/v3/files/{fileId}/export" in DESCRIPTION.routes()
    assert "POST /upload/drive/v3/files" in DESCRIPTION.routes()
    assert len(DESCRIPTION.routes()) == 14


def test_the_sandbox_stands_for_every_host() -> None:
    manifest = manifest_of("google_drive")
    assert manifest.sandbox is not None
    assert set(manifest.http.hosts) == set(manifest.sandbox.hosts)


async def test_a_connection_is_named_by_the_google_account(drive: Trial) -> None:
    identity = await drive.integration.identify(drive.setting())
    assert (identity.account.id, identity.account.label) == ("108000000000000000001", "mara@harbour.example")


async def test_a_missing_permission_is_noticed() -> None:
    async with practice(TOKEN_IDENTITY) as narrow:
        with pytest.raises(ScopeMissing):
            await narrow.run("list_files")


async def test_a_token_that_ended_must_be_renewed() -> None:
    async with practice("ya29.sandbox-nobody") as stranger:
        with pytest.raises(ReconnectNeeded):
            await stranger.run("list_files")
