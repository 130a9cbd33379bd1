"""Who uses the embedded server, and who therefore starts and stops it.

Any number of processes may ask for the same data folder at once. Two lock files keep them in step:

- `start.lock` is held exclusively while a process starts or stops the server;
- `users.lock` is held shared for as long as a process uses it. Who leaves tries to hold it exclusively: that
  succeeds only for the last one, who then stops the server.

Both are flock(2) locks, which the system releases when a process dies, however it dies. A server left behind
by processes that were all killed keeps running until the next user has come and gone.
"""

import atexit
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import platformdirs

from db.embedded.cluster import Cluster
from db.embedded.programs import EmbeddedPostgresFailed, ServerUser, find_programs


def default_data_dir() -> Path:
    """The folder for Mandate's data when nobody chose one: the user's own, or the system's for root."""
    if os.geteuid() != 0:
        return platformdirs.user_data_path("mandate", appauthor=False)
    # Root's home is closed to the user the server runs as.
    return Path("/var/lib/mandate") if sys.platform == "linux" else platformdirs.site_data_path("mandate")


class EmbeddedPostgres:
    """A private PostgreSQL server below `data_dir`/postgres, behind a Unix socket only its user may open.

    `start` and `stop` block: a first start about a second, later ones a tenth of it, longer after a crash.
    They may be called from any thread, one at a time. The interpreter's exit calls `stop` for who forgot.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.absolute()
        self._home = self._data_dir / "postgres"
        self._cluster: Cluster | None = None
        self._users_lock: int | None = None

    def start(self) -> str:
        """Start the server unless it runs, join its users, and return its address.

        The address is a libpq URI (PostgreSQL documentation, 32.1.1.2) that names the socket's folder, and
        user and database `postgres`. Raises `EmbeddedPostgresFailed`.
        """
        if self._cluster is None:
            try:
                self._join()
            except (OSError, subprocess.TimeoutExpired) as problem:
                raise EmbeddedPostgresFailed(
                    f"The embedded PostgreSQL cannot be used in {self._home} ({problem}): "
                    "choose another MANDATE_DATA_DIR, or set DATABASE_URL."
                ) from problem
        assert self._cluster is not None  # noqa: S101 - `_join` has just set it
        return self._cluster.dsn

    def stop(self) -> None:
        """Leave the server's users; the last one out stops it. Does nothing when not started."""
        cluster, users = self._cluster, self._users_lock
        self._cluster = self._users_lock = None
        if cluster is None or users is None:
            return
        atexit.unregister(self.stop)
        try:
            with _held(self._home / "start.lock"):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                cluster.stop()
        except BlockingIOError:
            pass  # somebody else still uses it
        finally:
            os.close(users)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _join(self) -> None:
        user = ServerUser.choose()
        _open_home(self._data_dir, self._home, user)
        with _held(self._home / "start.lock"):
            users = _open_lock(self._home / "users.lock")
            try:
                fcntl.flock(users, fcntl.LOCK_SH)
                cluster = Cluster(self._home, find_programs(user, copies=self._home))
                cluster.ensure_running()
            except BaseException:
                os.close(users)
                raise
        self._cluster, self._users_lock = cluster, users
        atexit.register(self.stop)


def _open_home(data_dir: Path, home: Path, user: ServerUser) -> None:
    """Make our folder, closed to everybody but ourselves; as root, the server's user may pass through it."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.mkdir(mode=0o700, exist_ok=True)
    if home.stat().st_uid != os.geteuid():
        raise EmbeddedPostgresFailed(
            f"{home} belongs to another system user: start Mandate as that user, or choose another MANDATE_DATA_DIR."
        )
    if not user.borrowed:
        home.chmod(0o700)
        return
    for folder in (data_dir, home):
        _let_pass(folder, user)
    if not user.can_enter(home):
        raise EmbeddedPostgresFailed(
            f"PostgreSQL does not run as root, and the user it runs as cannot enter {home}: "
            "choose a MANDATE_DATA_DIR outside of private folders, or set DATABASE_URL."
        )


def _let_pass(folder: Path, user: ServerUser) -> None:
    mode = folder.stat().st_mode & 0o7777
    if not mode & 0o001:
        os.chown(folder, -1, user.gid)
        folder.chmod(mode | 0o010)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    lock = _open_lock(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
