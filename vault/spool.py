"""Answers of token endpoints on this machine's disk, from the moment they came until the database has them.

A rotated refresh token exists once. Between the service's answer and our commit the database may go away, or this
process may; what is written here first is found again at the next start. It is sealed like everything else: without a
master key the files tell whose connection it is and when, and nothing more.
"""

import base64
import contextlib
import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from domain.refreshing import Renewal
from domain.sealed import Sealed, WrappedKey

_SUFFIX = ".renewal"


class Spool:
    """A folder of kept answers. Several processes may share it."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError when the folder cannot be made."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder

    def put(self, renewal: Renewal) -> None:
        """On disk when this returns, whole or not at all. Raises OSError."""
        place = self._place(renewal)
        draft = place.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(_written(renewal), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(place)
        self._sync()

    def remove(self, renewal: Renewal) -> None:
        """The database has it, or it is of no use any more."""
        with contextlib.suppress(OSError):
            self._place(renewal).unlink()

    def waiting(self) -> list[Renewal]:
        """Every answer that is here, oldest first. A file that cannot be read is left for a person to look at."""
        found = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                found.append(_read(json.loads(path.read_text())))
        return sorted(found, key=lambda each: each.obtained_at)

    def _place(self, renewal: Renewal) -> Path:
        return self._folder / f"{renewal.connection_id.hex}-{renewal.base}-{renewal.owner.hex}{_SUFFIX}"

    def _sync(self) -> None:
        """The name of a new file is safe only when its folder is written too (fsync(2))."""
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _written(renewal: Renewal) -> dict[str, object]:
    key = renewal.sealed.key
    return {
        "tenant": renewal.tenant,
        "connection_id": renewal.connection_id.hex,
        "owner": renewal.owner.hex,
        "base": renewal.base,
        "key_id": key.id.hex,
        "master_key": key.master_key,
        "wrapped": base64.b64encode(key.wrapped).decode(),
        "sealed": base64.b64encode(renewal.sealed.ciphertext).decode(),
        "obtained_at": renewal.obtained_at.isoformat(),
        "expires_at": renewal.expires_at.isoformat() if renewal.expires_at else None,
        "scopes": list(renewal.scopes) if renewal.scopes is not None else None,
    }


def _read(written: Mapping[str, Any]) -> Renewal:
    key = WrappedKey(UUID(hex=written["key_id"]), written["master_key"], base64.b64decode(written["wrapped"]))
    base, ends, scopes = int(written["base"]), written["expires_at"], written["scopes"]
    return Renewal(
        tenant=written["tenant"],
        connection_id=UUID(hex=written["connection_id"]),
        owner=UUID(hex=written["owner"]),
        base=base,
        sealed=Sealed(key, base + 1, base64.b64decode(written["sealed"])),
        obtained_at=datetime.fromisoformat(written["obtained_at"]),
        expires_at=datetime.fromisoformat(ends) if ends else None,
        scopes=tuple(scopes) if scopes is not None else None,
    )
