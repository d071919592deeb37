"""Settings: where they come from, and what is said of wrong ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError

from community_pipelines.databases.deployment import deployment
from community_pipelines.platforms.bazaar.spec import BAZAAR
from community_pipelines.platforms.spec import Choice, Option
from community_pipelines.platforms.stories.spec import STORIES
from community_pipelines.settings import ConfigurationError, Settings, SnapshotSettings, UiSettings, load, settings_of

URL = "postgresql://clerk:hidden@db.example/app"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refusal(**overrides: Any) -> str:
    with pytest.raises(ConfigurationError) as error:
        load(**overrides)
    assert "hidden" not in str(error.value)
    return str(error.value)


def write(text: str, file: str = "community.toml") -> None:
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).write_text(text)


class TestWhereTheyComeFrom:
    def test_without_any_everything_is_local(self) -> None:
        settings = load()
        assert settings.home == Path(".community")
        assert settings.lake_folder == Path(".community/lake")
        assert settings.platform("bazaar").embedded
        assert settings.platform("bazaar").counters_mode == "apply"

    def test_the_names_of_the_manual(self, monkeypatch: pytest.MonkeyPatch) -> None:
        names = {
            "HOME": "state",
            "LAKE": "pond",
            "START_DATE": "2026-02-01",
            "DATABASE_URL": "postgresql://clerk@db.example/dagster",
            "BAZAAR__SOURCE_URL": URL,
            "BAZAAR__PUBLISH_URL": "postgresql://clerk@primary.example/app",
            "BAZAAR__COUNTERS": "apply",
        }
        for name, value in names.items():
            monkeypatch.setenv(f"COMMUNITY_{name}", value)
        settings = load()
        assert (settings.home, settings.lake_folder, settings.start_date) == (
            Path("state"), Path("pond"), date(2026, 2, 1)
        )  # fmt: skip
        assert settings.database_url is not None
        assert settings.database_url.get_secret_value() == "postgresql://clerk@db.example/dagster"
        place = deployment(settings, BAZAAR)
        assert place.source_url == URL
        assert place.publish_url == "postgresql://clerk@primary.example/app"
        assert settings.platform("bazaar").counters_mode == "apply"

    def test_tables_and_columns_are_mapped_in_toml(self) -> None:
        write(
            f"""
            [bazaar]
            source_url = "{URL}"
            [bazaar.tables]
            community_events = "public.bazaar-vid_community_event"
            [bazaar.columns.community_events]
            created_at = "createdAt"
            """
        )
        names = deployment(load(), BAZAAR).names
        events = BAZAAR.table("community_events")
        assert names.table(events).as_string() == '"public"."bazaar-vid_community_event"'
        assert names.column(events, "created_at").as_string() == '"createdAt"'
        assert names.column(events, "user_id").as_string() == '"user_id"'

    def test_the_limits_of_templates(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "@remotion/*" in load().snapshots.allowed_imports
        write('[snapshots]\nscenes_per_template = 7\nallowed_imports = ["react", "three"]')
        monkeypatch.setenv("COMMUNITY_SNAPSHOTS__TEMPLATES_PER_OWNER_AND_DAY", "3")
        limits = load().snapshots
        assert (limits.scenes_per_template, limits.templates_per_owner_and_day) == (7, 3)
        assert limits.allowed_imports == ("react", "three")
        write("[snapshots]\nscenes_per_template = 0")
        with pytest.raises(ConfigurationError, match=r"snapshots\.scenes_per_template"):
            load()

    def test_arguments_come_before_the_environment_and_that_before_the_files(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write("grace_minutes = 1\nsuperseded_days = 1\npublish_rows = 1\nshrink_limit = 0.1\nhome = 'state'")
        write(
            "grace_minutes = 2\nsuperseded_days = 2\npublish_rows = 2\nstart_date = 2026-03-01", "state/community.toml"
        )
        monkeypatch.setenv("COMMUNITY_GRACE_MINUTES", "3")
        monkeypatch.setenv("COMMUNITY_SUPERSEDED_DAYS", "3")
        settings = load(grace_minutes=4)
        assert (settings.grace_minutes, settings.superseded_days, settings.publish_rows) == (4, 3, 1)
        assert settings.shrink_limit == 0.1
        assert settings.start_date == date(2026, 3, 1)

    def test_one_platforms_settings_may_come_from_several_places(self, monkeypatch: pytest.MonkeyPatch) -> None:
        write('[bazaar]\ncounters = "apply"\ndrift_limit = 0.5')
        monkeypatch.setenv("COMMUNITY_BAZAAR__SOURCE_URL", URL)
        monkeypatch.setenv("COMMUNITY_BAZAAR__DRIFT_LIMIT", "0.1")
        bazaar = load().platform("bazaar")
        assert (bazaar.counters_mode, bazaar.drift_limit, bazaar.embedded) == ("apply", 0.1, False)

    def test_counters_of_an_external_database_are_only_reported_until_a_person_says_apply(self) -> None:
        assert load(bazaar={"source_url": URL}).platform("bazaar").counters_mode == "report"

    def test_a_choice_is_set_where_its_platform_declares_it_and_is_the_first_one_unless_set(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (counter, choice), *_ = BAZAAR.choices
        assert (counter.column, choice.setting) == ("favorites_count", "favorites")

        def taken() -> str:
            return deployment(load(bazaar={"source_url": URL}), BAZAAR).taken(counter).name

        assert taken() == "events"
        write('[bazaar]\nfavorites = "rows"')
        assert taken() == "rows"
        monkeypatch.setenv("COMMUNITY_BAZAAR__FAVORITES", "events")
        assert taken() == "events"

    def test_a_platform_to_come_declares_a_choice_and_has_its_setting(self) -> None:
        choice = Choice("likes", (Option("given", "all likes", "given"), Option("kept", "likes that stayed", "kept")))
        table = STORIES.counter_tables[2]
        counters = tuple(replace(one, rule=choice) if one.column == "like_count" else one for one in table.counters)
        own = settings_of(replace(STORIES, counter_tables=(replace(table, counters=counters),)))
        assert own.model_validate({"likes": "kept"}).chosen("likes") == "kept"
        with pytest.raises(ValidationError, match="'given' or 'kept'"):
            own.model_validate({"likes": "lost"})

    def test_an_empty_value_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COMMUNITY_BAZAAR__SOURCE_URL", "")
        assert load().platform("bazaar").embedded

    @pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
    def test_a_url_of_any_driver_becomes_libpqs(self, scheme: str) -> None:
        settings = load(database_url=f"{scheme}://clerk:hid%40den@db.example:6432/app?sslmode=require")
        assert settings.database_url is not None
        assert (
            settings.database_url.get_secret_value()
            == "postgresql://clerk:hid%40den@db.example:6432/app?sslmode=require"
        )

    @pytest.mark.parametrize("password", ["a/b", "a?b=c", "a#b", "a:b", "a[b]", "a&b", "a%40b", "a b"])
    def test_a_password_may_hold_what_cannot_be_mistaken(self, password: str) -> None:
        settings = load(database_url=f"postgresql://cl@rk:{password}@db.example:6432/app")
        assert settings.database_url is not None
        parts = conninfo_to_dict(settings.database_url.get_secret_value())
        given = (parts["user"], parts["password"], parts["host"], parts["port"], parts["dbname"])
        assert given == ("cl@rk", unquote(password), "db.example", "6432", "app")

    def test_what_stands_after_the_question_mark_means_the_same_to_libpq(self) -> None:
        url = "postgresql:///app?host=/a%20b/c++/d%2Be&user=the%20clerk&password=p+w%25"
        set_ = load(bazaar={"source_url": url}).platform("bazaar").source_url
        assert set_ is not None
        expected = {"dbname": "app", "host": "/a b/c++/d+e", "user": "the clerk", "password": "p+w%"}
        assert conninfo_to_dict(set_.get_secret_value()) == conninfo_to_dict(url) == expected

    def test_a_tilde_is_the_home_of_the_user(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        write("start_date = 2026-04-01", "state/community.toml")
        settings = load(home="~/state")
        assert settings.lake_folder == tmp_path / "state" / "lake"
        assert settings.start_date == date(2026, 4, 1)


class TestWrongOnes:
    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("START_DATE", "soon", "expected a day like 2026-01-31"),
            ("START_DATE", "2026-02-30", "expected a day like 2026-01-31"),
            ("GRACE_MINUTES", "-1", "greater than or equal to 0"),
            ("QUARANTINE_LIMIT", "1%", "valid number"),
            ("QUARANTINE_LIMIT", "1.5", "less than or equal to 1"),
            ("MEMORY_LIMIT", "lots", "expected a size like 300MB"),
            ("WEBHOOK_URL", "hidden.example", "expected a URL like https://host/path"),
            ("DATABASE_URL", "sqlite:///hidden", "expected a URL like postgresql://"),
            ("UI__HOSTS", '["https://dagster.example"]', "expected hosts like dagster.example.org"),
            ("UI__HOSTS", '["*"]', "expected hosts like dagster.example.org"),
            ("BAZAAR__COUNTERS", "sometimes", "'report' or 'apply'"),
            ("BAZAAR__DRIFT_LIMIT", "-0.1", "greater than or equal to 0"),
            ("BAZAAR__DRIFT_LIMIT_ABSOLUTE", "-1", "greater than or equal to 0"),
            ("BAZAAR__FAVORITES", "hidden", "'events' or 'rows'"),
            ("BAZAAR__FAVOURITES", "rows", "there is no such setting, expected one of source_url"),
            ("BAZAAR__FAVOURITES", "rows", "tables, columns, favorites"),
            ("STORIES__FAVORITES", "rows", "there is no such setting, expected one of source_url"),
            ("BAZAAR__SOURCE_URL", "hidden", "expected a URL like postgresql://user:password@host:5432/database"),
            ("BAZAAR__SOURCE_URL", "mysql://clerk:hidden@db.example/app", "found the scheme 'mysql'"),
            (
                "BAZAAR__SOURCE_URL",
                "postgresql://clerk:hidden@db.example:port/app",
                "expected a URL like postgresql://",
            ),
            ("BAZAAR__SOURCE_URL", "postgresql://clerk:x@hidden@db.example/app", "an @ in the user, the password"),
            ("BAZAAR__PUBLISH_URL", "postgresql://clerk:x@y/hidden@db.example/app", "is written %40"),
            ("DATABASE_URL", "postgresql+psycopg2://clerk:x@y?sslmode=hidden@db.example/app", "is written %40"),
            (
                "STORIES__SOURCE_URL",
                "postgresql://clerk:x@y:hidden@db.example/app",
                "expected a URL like postgresql://",
            ),
            ("BAZAAR__SOURCE_URL", "postgresql://clerk:hidden%de@db.example/app", "expected a URL like postgresql://"),
            ("HOME", "~nosuchuser/hidden", "expected a folder, and the user of '~nosuchuser' has none here"),
            ("LAKE", "~nosuchuser", "expected a folder, and the user of '~nosuchuser' has none here"),
            ("BAZAAR__SOURCE_URL", "postgresql://clerk:x@db.example/app?hidden=1", "only names that libpq knows"),
        ],
    )
    def test_a_wrong_value_is_named_with_what_was_expected_and_not_shown(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
    ) -> None:
        monkeypatch.setenv(f"COMMUNITY_{name}", value)
        said = refusal()
        assert f"(environment: COMMUNITY_{name})" in said
        assert expected in said

    def test_all_wrong_values_are_named_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COMMUNITY_START_DATE", "soon")
        write("grace_minutes = -1")
        said = refusal()
        assert "COMMUNITY_START_DATE" in said
        assert "COMMUNITY_GRACE_MINUTES" in said

    def test_a_publish_url_alone_is_refused(self) -> None:
        assert "publish_url is set but source_url is not" in refusal(bazaar={"publish_url": URL})
        assert "maintain_url is set but source_url is not" in refusal(stories={"maintain_url": URL})

    def test_partition_care_has_a_url_of_its_own_or_the_publishing_one(self) -> None:
        urls = {"source_url": URL, "publish_url": "postgresql://clerk@primary.example/app"}
        plain = deployment(load(bazaar=urls), BAZAAR)
        assert (plain.maintain_url, plain.maintain_setting) == (plain.publish_url, plain.publish_setting)
        keeper = "postgresql://keeper@primary.example/app"
        own = deployment(load(bazaar={**urls, "maintain_url": keeper}), BAZAAR)
        assert (own.maintain_url, own.maintain_setting) == (keeper, "COMMUNITY_BAZAAR__MAINTAIN_URL")
        assert keeper not in repr(own)

    @pytest.mark.parametrize("name", ["LAEK", "BAZAR__SOURCE_URL", "START_DAY"])
    def test_a_misspelt_name_in_the_environment_is_refused_with_the_right_ones(
        self, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv(f"COMMUNITY_{name}", "hidden")
        said = refusal()
        assert f"unknown settings in the environment: COMMUNITY_{name}" in said
        assert "HOME, LAKE, START_DATE, DATABASE_URL" in said

    def test_a_misspelt_name_below_a_platform_is_refused_with_the_right_ones(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COMMUNITY_BAZAAR__SORUCE_URL", URL)
        said = refusal()
        assert "COMMUNITY_BAZAAR__SORUCE_URL" in said
        assert "expected one of source_url, publish_url, maintain_url, counters" in said

    def test_a_platform_without_a_name_below_it_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COMMUNITY_BAZAAR", URL)
        assert "expected names below it, such as COMMUNITY_BAZAAR__SOURCE_URL" in refusal()

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("[bazar]\nsource_url = 'x'", "bazar (environment: COMMUNITY_BAZAR): there is no such setting"),
            (
                "[bazaar]\nsource = 'x'",
                "bazaar.source (environment: COMMUNITY_BAZAAR__SOURCE): there is no such setting",
            ),
            (
                "[stories]\nfavorites = 'rows'",
                "stories.favorites (environment: COMMUNITY_STORIES__FAVORITES): there is no such setting",
            ),
            (
                "[bazaar]\nfavorites = ['rows']",
                "bazaar.favorites (environment: COMMUNITY_BAZAAR__FAVORITES): Input should",
            ),
            ("[bazaar.tables]\ncommunity_events = 5", "bazaar.tables.community_events"),
            ("[bazaar.columns]\ncommunity_events = 'createdAt'", "bazaar.columns.community_events"),
            ("home = 5", "home (environment: COMMUNITY_HOME)"),
            ("start_date = ", "community.toml is no valid TOML: Invalid value (at end of document)"),
        ],
    )
    def test_a_wrong_file_is_refused_with_the_place(self, text: str, expected: str) -> None:
        write(text)
        assert expected in refusal()

    def test_the_file_that_is_no_toml_is_named_with_its_folder(self) -> None:
        write("a = b", "state/community.toml")
        assert refusal(home="state").startswith("state/community.toml is no valid TOML")

    def test_a_file_that_is_no_text_is_refused(self) -> None:
        Path("community.toml").write_bytes(b"\xff\xfe")
        assert "community.toml is no valid TOML" in refusal()

    @pytest.mark.parametrize(
        ("bazaar", "expected"),
        [
            (
                {"tables": {"events": "public.events"}},
                "[bazaar.tables] maps 'events', which bazaar does not have: expected one of community_events,",
            ),
            (
                {"columns": {"community_events": {"time": "createdAt"}}},
                "[bazaar.columns.community_events] maps 'time', which is not read: expected one of created_at,",
            ),
        ],
    )
    def test_a_mapping_of_something_that_is_not_read_is_refused(self, bazaar: dict[str, Any], expected: str) -> None:
        settings = load(bazaar={"source_url": URL, **bazaar})
        with pytest.raises(ConfigurationError) as error:
            deployment(settings, BAZAAR)
        message = str(error.value)
        assert expected.split(":")[0] in message
        assert "expected one of" in message

    def test_an_unknown_platform_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(ConfigurationError, match="unknown platform 'bazar': expected one of bazaar"):
            load().platform("bazar")


def test_secrets_do_not_show() -> None:
    settings = load(
        database_url=URL, webhook_url="https://hooks.example/hidden", bazaar={"source_url": URL, "publish_url": URL}
    )
    shown = f"{settings!r} {settings} {settings.model_dump()} {deployment(settings, BAZAAR)}"
    assert "hidden" not in shown


def test_every_setting_says_what_it_is() -> None:
    undescribed = [
        name
        for settings in (Settings, SnapshotSettings, UiSettings)
        for name, field in settings.model_fields.items()
        if not field.description
    ]
    assert undescribed == ["snapshots", "ui", "bazaar", "stories"]
