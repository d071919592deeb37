"""The data dictionary is what the code declares."""

from __future__ import annotations

from community_pipelines.pages.dictionary import FILE, dictionary


def test_the_data_dictionary_is_not_stale() -> None:
    assert FILE.read_text() == dictionary(), "run `make dictionary`"
