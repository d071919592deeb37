"""An app that writes while the pipeline works, as a process of its own: `python -m tests.live_app URL SEED STOP`.

Every change is one transaction: the event, the counter, the row of community_favorites, and a row in `app_log`
that says what the app added. It ends when the file STOP exists.
"""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
from psycopg import errors

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 3
LOST_RACES = (errors.ForeignKeyViolation, errors.DeadlockDetected)
LOG = "create table app_log (template_id uuid not null, counter text not null, added bigint not null)"


class App:
    """One server process of the app; it alone acts for its users, so that their clicks have an order."""

    def __init__(self, url: str, seed: int) -> None:
        self.random = random.Random(seed)
        self.connection = psycopg.connect(url, autocommit=True)
        self.users = [f"user {seed}-{n}" for n in range(5)]
        self.clicks = 0
        self.seed = seed
        self.connection.cursor().executemany(
            'insert into "bazaar-vid_user" (id) values (%s)', [(user,) for user in self.users]
        )

    def act(self) -> None:
        """One thing that a visitor does."""
        templates = [row[0] for row in self.connection.execute("select id from community_templates order by id")]
        # Few templates get most visits: that is where writers meet.
        template = templates[min(int(self.random.paretovariate(1.2)) - 1, len(templates) - 1)]
        what = self.random.choices(("view", "use", "click", "favorite", "delete"), (50, 15, 10, 30, 0.3))[0]
        try:
            if what == "delete" and len(templates) > 10:
                self.connection.execute("delete from community_templates where id = %s", (templates[-1],))
            elif what == "favorite":
                self._click_heart(template)
            elif what != "delete":
                self._visit(template, what)
        except LOST_RACES:
            return  # the template was deleted meanwhile

    def _visit(self, template: UUID, what: str) -> None:
        late = self.random.random() < 0.5
        moment = START + timedelta(days=self.random.random() * DAYS) if late else datetime.now(UTC)
        with self.connection.transaction():
            self._event(template, what, moment, self.random.choice([*self.users, None]))
            if what != "click":
                self._add(template, f"{what}s_count", 1)

    def _click_heart(self, template: UUID) -> None:
        user = self.random.choice(self.users)
        self.clicks += 1
        moment = START + timedelta(minutes=self.clicks)
        with self.connection.transaction():
            if self.random.random() < 0.6:
                given = self.connection.execute(
                    "insert into community_favorites (user_id, template_id) values (%s, %s) on conflict do nothing",
                    (user, template),
                )
                self._event(template, "favorite", moment, user)
                self._add(template, "favorites_count", given.rowcount)
            else:
                taken = self.connection.execute(
                    "delete from community_favorites where user_id = %s and template_id = %s", (user, template)
                )
                self._event(template, "unfavorite", moment, user)
                self._add(template, "favorites_count", -taken.rowcount)

    def _event(self, template: UUID, what: str, moment: datetime, user: str | None) -> None:
        self.connection.execute(
            "insert into community_events (template_id, user_id, event_type, source, created_at) "
            "values (%s, %s, %s, 'direct', %s)",
            (template, user, what, moment),
        )

    def _add(self, template: UUID, counter: str, added: int) -> None:
        self.connection.execute(
            f"update community_templates set {counter} = {counter} + %s where id = %s".encode(), (added, template)
        )
        self.connection.execute("insert into app_log values (%s, %s, %s)", (template, counter, added))


if __name__ == "__main__":
    app = App(sys.argv[1], int(sys.argv[2]))
    stop = Path(sys.argv[3])
    while not stop.exists():
        app.act()
