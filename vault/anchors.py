"""The newest seal of each tenant that this machine has made or met, kept outside the database.

Somebody with every right in the database can cut the end of a history off together with its seals, and what is left is
whole. The seal that lies here then is one that the history no longer has.
"""

import base64
import contextlib
import hashlib
import json
import os
from pathlib import Path

from domain.seals import Seal, seal_from


class Anchors:
    """A folder of seals, for one signing key: a file for each tenant. Several processes may share it."""

    def __init__(self, folder: Path, key_id: str) -> None:
        """Raises OSError when the folder cannot be made."""
        self._folder = folder / key_id
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._newest: dict[str, Seal] = {}

    def newest(self, tenant: str) -> Seal | None:
        """The last one kept. A file that cannot be read is as good as none."""
        if tenant not in self._newest:
            found = _read(self._place(tenant))
            if found is None:
                return None
            self._newest[tenant] = found
        return self._newest[tenant]

    def keep(self, seal: Seal) -> None:
        """In place of the one before. Raises OSError."""
        place = self._place(seal.tenant)
        draft = place.with_suffix(f".{os.getpid()}.draft")
        draft.write_text(written(seal))
        draft.replace(place)
        self._newest[seal.tenant] = seal

    def set_aside(self, seal: Seal) -> None:
        """The history no longer has this seal: keep it as evidence, and follow the history as it is now."""
        self._newest.pop(seal.tenant, None)
        place = self._place(seal.tenant)
        with contextlib.suppress(OSError):
            place.replace(place.with_suffix(f".{seal.number}.lost"))

    def all_of(self, tenant: str) -> list[Seal]:
        """What an export takes along: the newest, and every one that was set aside."""
        name = self._place(tenant).stem
        found = [_read(path) for path in sorted(self._folder.glob(f"{name}*")) if path.suffix in (".seal", ".lost")]
        return [seal for seal in found if seal is not None]

    def _place(self, tenant: str) -> Path:
        return self._folder / f"{hashlib.sha256(tenant.encode()).hexdigest()[:32]}.seal"


def written(seal: Seal) -> str:
    """A seal with its signature, on one line."""
    signature = base64.b64encode(seal.signature).decode()
    return json.dumps({**seal.statement(), "signature": signature}, ensure_ascii=False)


def _read(path: Path) -> Seal | None:
    try:
        said = json.loads(path.read_text())
        return seal_from(said, base64.b64decode(said["signature"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
