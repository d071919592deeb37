"""What runs write is for their owner alone, whatever the shell's umask; what is open is named. On real files."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from community_pipelines.doctor.file_modes import modes
from community_pipelines.lake.files import Lake
from community_pipelines.orchestration import definitions
from community_pipelines.settings import load
from tests.community import community, open_to_others


def test_what_dagster_starts_by_itself_is_as_careful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMUNITY_HOME", str(tmp_path))
    definitions.defs()
    with Lake(tmp_path / "lake").staging("bazaar", "run") as folder:
        (folder / "file").write_text("x")
        assert open_to_others(tmp_path) == []


def test_a_wide_folder_and_a_settings_file_with_a_password_are_named_with_what_closes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home, lake = tmp_path / "it's mine", tmp_path / "lake"
    (home / "dagster").mkdir(parents=True)
    (lake / "cold").mkdir(parents=True)
    (lake / "cold" / "old.parquet").write_text("x")
    secret = '[bazaar]\nsource_url = "postgresql://reader:secret@replica/gallery"\n'
    for file in (home / "community.toml", tmp_path / "community.toml"):
        file.write_text(secret)
    settings = load(home=home, lake=lake)
    told = list(modes(settings))
    assert [(one.level, one.subject) for one in told] == [
        ("warning", "home modes"),
        ("warning", "lake modes"),
        ("warning", "settings file"),
        ("warning", "settings file"),
    ]
    assert "(0755)" in told[0].seen
    assert "secret" not in repr(told).replace("holds secrets", "")
    for one in told:
        subprocess.run(one.advice, shell=True, check=True)
    assert open_to_others(tmp_path) == []
    assert {one.level for one in modes(settings)} == {"ok"}


def test_a_lake_in_a_closed_home_is_open_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "state"
    (home / "lake").mkdir(parents=True)
    for folder, mode in ((home / "lake", 0o755), (home, 0o700)):
        folder.chmod(mode)
    assert [one.level for one in modes(load(home=home))] == ["ok"]
    home.chmod(0o711)
    assert [(one.level, one.subject) for one in modes(load(home=home))][-1] == ("warning", "lake modes")


def test_a_settings_file_without_secrets_may_be_read_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "community.toml").write_text('[bazaar]\nsource_url = "postgresql://reader@replica/gallery"\n')
    assert list(modes(load(home=tmp_path / "none"))) == []


def test_a_folder_that_postgresqls_own_user_passes_through_is_named_only_where_others_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to another user")
    home = tmp_path / "state"
    for name in ("lake", "postgres"):
        (home / name).mkdir(parents=True, mode=0o700)
    os.chown(home / "postgres", 12345, 12345)
    home.chmod(0o711)
    settings = load(home=home)
    assert {one.level for one in modes(settings)} == {"ok"}
    home.chmod(0o755)
    (home / "lake").chmod(0o750)
    wide = next(one for one in modes(settings) if one.subject == "home modes")
    assert wide.advice.splitlines() == [f"chmod go-rw {home}", f"chmod -R go= {home}/lake"]
    subprocess.run(wide.advice, shell=True, check=True)
    assert stat.S_IMODE(home.stat().st_mode) == 0o711
    assert {one.level for one in modes(settings)} == {"ok"}


def test_the_command_is_careful_from_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMUNITY_HOME", str(tmp_path / "state"))
    community("stop")
    (tmp_path / "after").write_text("x")
    assert open_to_others(tmp_path) == []
