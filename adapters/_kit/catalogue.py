"""The catalogue: every folder beside `_kit` is an integration. Adding one edits no existing file."""

import hashlib
import importlib
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType

from adapters._kit.action import ActionDefinition
from adapters._kit.http import Transport
from adapters._kit.integration import FolderIntegration, Override
from adapters._kit.manifest import Manifest, read_manifest
from domain.catalogue import Action, Integration
from domain.errors import Misconfigured

_HOME = Path(__file__).parent.parent


class FolderCatalogue:
    """Implements `domain.catalogue.Catalogue`. Immutable; the same for all tenants."""

    def __init__(self, integrations: Iterable[Integration]) -> None:
        self.integrations: Mapping[str, Integration] = {
            each.slug: each for each in sorted(integrations, key=lambda each: each.slug)
        }
        self._version: str | None = None

    @property
    def version(self) -> str:
        """A fingerprint of every definition."""
        if self._version is None:
            digests = "".join(act.digest for each in self.integrations.values() for act in each.actions.values())
            self._version = hashlib.sha256(digests.encode()).hexdigest()[:16]
        return self._version

    def action(self, slug: str) -> Action | None:
        """By qualified name."""
        integration = self.integrations.get(slug.partition(".")[0])
        return integration.actions.get(slug) if integration else None

    def read_actions(self) -> None:
        """All that is read on first use, read now: for a thread beside a gateway that serves already.

        Raises Misconfigured when a folder is not whole.
        """
        for each in self.integrations.values():
            _ = each.actions


def load(
    transport: Transport, overrides: Mapping[str, Override], sandboxes: Mapping[str, str], home: Path = _HOME
) -> FolderCatalogue:
    """Read every integration's facts. `sandboxes` maps an integration to the address of its simulated service.

    Raises Misconfigured when a manifest is not whole, or a setting names no integration.
    """
    found = {
        slug: load_one(slug, transport, overrides.get(slug, Override()), sandboxes.get(slug), home)
        for slug in slugs(home)
    }
    unknown = sorted(set(overrides) - set(found))
    if unknown:
        raise Misconfigured(f"[integrations.{unknown[0]}] names no integration. There are: {', '.join(found)}.")
    return FolderCatalogue(found.values())


def load_one(
    slug: str, transport: Transport, override: Override, sandbox_url: str | None, home: Path = _HOME
) -> FolderIntegration:
    """Read one integration's facts. Raises Misconfigured when its manifest is not whole."""
    manifest = read_manifest(home / slug / "manifest.toml")
    if manifest.id != slug:
        raise Misconfigured(f"{slug}/manifest.toml calls itself {manifest.id!r}; folder and id must agree.")
    return FolderIntegration(manifest, partial(_definitions, slug), transport, override, sandbox_url)


def slugs(home: Path = _HOME) -> list[str]:
    """The folders that are integrations."""
    return sorted(path.parent.name for path in home.glob("*/manifest.toml"))


def manifest_of(slug: str, home: Path = _HOME) -> Manifest:
    """One integration's facts."""
    return read_manifest(home / slug / "manifest.toml")


def sandbox_module(slug: str) -> ModuleType:
    """The module that simulates the service; its `sandbox(state_file)` makes an ASGI application."""
    return importlib.import_module(f"adapters.{slug}.sandbox")


def _definitions(slug: str) -> list[ActionDefinition]:
    module = importlib.import_module(f"adapters.{slug}.actions")
    return [value for value in vars(module).values() if isinstance(value, ActionDefinition)]
