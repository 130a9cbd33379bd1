"""Until the first release, the first revision is edited in place (decision 0008): a database is of one draft of it.

The database says in a comment which draft it was made from, and is refused when that is another one.
"""

import hashlib
from functools import cache
from importlib import resources

from domain.errors import Misconfigured


class EarlierDraft(Misconfigured):
    """The database was made from another draft of the first revision."""


#: What the database says of itself; null for one that was made before databases said it.
ASKING = "SELECT obj_description(to_regclass('mandate_revision'), 'pg_class')"


@cache
def draft() -> str:
    """A fingerprint of the first revision's scripts."""
    folder = resources.files("db") / "migrations" / "versions" / "r0001_sql"
    scripts = sorted(folder.iterdir(), key=lambda script: script.name)
    return hashlib.sha256(b"\0".join(script.read_bytes() for script in scripts)).hexdigest()[:16]


def check_draft(told: str | None) -> None:
    """Raises EarlierDraft, saying what to do, when the database was made from another draft."""
    if told != draft():
        raise EarlierDraft(
            "This database was made by an earlier draft of Mandate, before the first release, and cannot be carried "
            "over. Use an empty database and run `mandate migrate` on it."
        )
