"""How the bible of a sample's scene grows: who appears, what happens, which threads are open.

Every version is valid against the schema of seed 002, keeps the ids of the version before, and speaks only of
segments that exist. Not here: which segments those are (`sample_stories_scenes`).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from community_pipelines.embedded import sample_stories_words as words
from community_pipelines.embedded.sample_stories_world import one_of

_MOST_CHARACTERS = 7


class Bible:
    """The bible of one scene at its newest version, which `data` holds in the seed's form."""

    def __init__(self, rng: np.random.Generator, genre: str) -> None:
        self._rng = rng
        self._names = [words.CALLED[place] for place in rng.permutation(len(words.CALLED))]
        self._characters: list[dict[str, Any]] = []
        self._events: list[dict[str, Any]] = []
        self._threads: list[dict[str, Any]] = []
        place = one_of(rng, words.PLACES)
        self.version = 1
        self.data: dict[str, Any] = {
            "version": 1,
            "characters": self._characters,
            "setting": {
                "primaryLocation": place,
                "timePeriod": one_of(rng, words.PERIODS),
                "worldRules": [one_of(rng, words.RULES)],
                "locations": [{"name": place, "description": f"Where the {one_of(rng, words.NOUNS).lower()} is kept."}],
            },
            "timeline": {"currentPoint": "Before the first segment.", "majorEvents": self._events},
            "plotThreads": self._threads,
            "styleGuide": {
                "tone": one_of(rng, words.TONES),
                "genre": genre,
                "visualStyle": one_of(rng, words.LOOKS),
                "narrativeStyle": "third person, present tense",
            },
        }
        for _ in range(int(rng.integers(1, 4))):
            self._appear()
        self._open_thread()

    def grow(self, sequence: int) -> None:
        """The next version, which the segment of that number brings about."""
        rng = self._rng
        self.version += 1
        self.data["version"] = self.version
        if len(self._characters) < _MOST_CHARACTERS and rng.random() < 0.25:
            self._appear()["introducedInSegment"] = sequence
        deed = one_of(rng, words.DEEDS).format(noun=one_of(rng, words.NOUNS).lower())
        active = [character for character in self._characters if character["isActive"]]
        who = active[int(rng.integers(len(active)))]
        self._events.append(
            {
                "segmentNumber": sequence,
                "event": f"{who['canonicalName']} {deed}.",
                "consequences": one_of(rng, words.TURNS),
            }
        )
        self.data["timeline"]["currentPoint"] = f"After segment {sequence}."
        if len(active) > 1 and rng.random() < 0.04:
            who["isActive"] = False
        open_threads = [thread for thread in self._threads if thread["status"] == "active"]
        if open_threads and rng.random() < 0.2:
            open_threads[0]["status"] = "resolved" if rng.random() < 0.8 else "abandoned"
        if rng.random() < 0.2:
            self._open_thread()

    def text(self) -> str:
        """The newest version as JSON."""
        return json.dumps(self.data)

    def _appear(self) -> dict[str, Any]:
        rng = self._rng
        known = [character["entityId"] for character in self._characters]
        character: dict[str, Any] = {
            "entityId": f"char_{rng.bytes(4).hex()}",
            "canonicalName": self._names[len(known)],
            "aliases": [],
            "traits": [words.TRAITS[place] for place in rng.permutation(len(words.TRAITS))[:2]],
            "relationships": [],
            "isActive": True,
        }
        if known:
            other = known[int(rng.integers(len(known)))]
            character["relationships"].append(
                {"targetEntityId": other, "relationshipType": one_of(rng, words.RELATIONS)}
            )
        self._characters.append(character)
        return character

    def _open_thread(self) -> None:
        noun = one_of(self._rng, words.NOUNS).lower()
        self._threads.append(
            {"id": f"thread_{len(self._threads) + 1}", "description": f"Whose {noun} is it?", "status": "active"}
        )
