"""Readings on the disk until they have arrived everywhere: SQLite, one transaction a frame.

The readings of a frame, what is known of the counters, and that the frame is done are written together or not at all,
and are on the disk when `keep` returns (WAL, synchronous=FULL): whenever the process or the power dies, a frame is
either done, with its readings kept, or will be read again.  Each sink has its own place in the one sequence of
readings.  The file has a budget; what arrived everywhere makes room for what did not.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import StoreError

APPLICATION = 0x676C7768  # 'glwh' in the file's header
SCHEMA = 1
KEPT = 1000  # readings that stay after they have arrived: a sink that tells which was its last is believed
FULL = 0.9  # share of the budget from which no new frame is taken
WAL_SHARE = 8  # of the budget one part in so many, at most, is the write-ahead log

TABLES = """
CREATE TABLE readings (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE sinks (name TEXT PRIMARY KEY, arrived INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE frames (key BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE states (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Record:
    """One thing to tell.  id: the same whenever it is told again.  seq: its place among all.  body: JSON values."""

    id: str
    body: Mapping[str, Any]
    seq: int = 0


class Store:
    """The file, held by one process; its methods may be called from any thread.

    Raises StoreError where it cannot be opened or written; nothing is lost by that, and the call may be repeated.
    """

    def __init__(self, path: Path, megabytes: int, sinks: Sequence[str]) -> None:
        self.path, self._sinks = path, tuple(sinks)
        self._lock = threading.RLock()
        self.news = threading.Condition()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{path.parent}: cannot be made ({error.strerror})") from None
        with self._errors():
            self._base = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(megabytes)
            except BaseException:
                self._base.close()
                raise

    def _prepare(self, megabytes: int) -> None:
        ask = self._base.execute
        ask("PRAGMA locking_mode = EXCLUSIVE")
        ask("PRAGMA synchronous = FULL")
        ask("BEGIN IMMEDIATE")  # from here on no other process gets in
        (application,), (schema,) = ask("PRAGMA application_id").fetchone(), ask("PRAGMA user_version").fetchone()
        (tables,) = ask("SELECT count(*) FROM sqlite_master").fetchone()
        if not tables:
            for statement in TABLES.split(";"):
                ask(statement)
            ask(f"PRAGMA application_id = {APPLICATION}")
            ask(f"PRAGMA user_version = {SCHEMA}")
        elif application != APPLICATION or schema > SCHEMA:
            kind = "of another program" if application != APPLICATION else f"of a newer glyphlite (schema {schema})"
            raise StoreError(f"{self.path}: a database {kind}; wanted one of ours, or none yet")
        for sink in self._sinks:
            ask("INSERT OR IGNORE INTO sinks VALUES (?, 0)", (sink,))
        ask("COMMIT")
        ask("PRAGMA journal_mode = WAL")  # not sooner: another program's file is left as it is
        (page,) = ask("PRAGMA page_size").fetchone()
        pages = megabytes * 2**20 // page
        log = pages // WAL_SHARE
        (self._pages,) = ask(f"PRAGMA max_page_count = {pages - log}").fetchone()
        ask(f"PRAGMA wal_autocheckpoint = {max(1, log // 4)}")
        ask(f"PRAGMA journal_size_limit = {log * page}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            reason = str(error)
            if "locked" in reason:
                reason = "another process watches with it"
            elif "not a database" in reason or "malformed" in reason:
                reason += "; move it away to begin a new one"
            raise StoreError(f"{self.path}: {reason}") from None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._errors():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise

    def _one(self, statement: str, *values: Any) -> Any:
        with self._lock, self._errors():
            return self._base.execute(statement, values).fetchone()

    # --- frames ---

    def is_done(self, key: str) -> bool:
        """Whether a frame's readings are kept."""
        return self._one("SELECT 1 FROM frames WHERE key = ?", digest(key)) is not None

    def has_room(self) -> bool:
        """Whether another frame's readings fit into the budget."""
        (pages,), (free,) = self._one("PRAGMA page_count"), self._one("PRAGMA freelist_count")
        return bool(pages - free < FULL * self._pages)

    def keep(self, records: Iterable[Record], states: Mapping[str, Any], frame: str | None = None) -> None:
        """Keep a frame's readings and states, and, where it may be given again, that it is done."""
        with self._transaction() as base:
            for record in records:
                body = json.dumps(record.body, ensure_ascii=False, separators=(",", ":"))
                base.execute("INSERT OR IGNORE INTO readings (id, body) VALUES (?, ?)", (record.id, body))
            for name, state in states.items():
                base.execute("INSERT OR REPLACE INTO states VALUES (?, ?)", (name, json.dumps(state)))
            if frame is not None:
                base.execute("INSERT OR IGNORE INTO frames VALUES (?)", (digest(frame),))
        with self.news:
            self.news.notify_all()

    def forget_other_frames(self, keys: Iterable[str]) -> None:
        """Forget the frames that can come no more: all but those of the keys."""
        with self._transaction() as base:
            base.execute("CREATE TEMP TABLE there (key BLOB PRIMARY KEY) WITHOUT ROWID")
            base.executemany("INSERT OR IGNORE INTO there VALUES (?)", ((digest(key),) for key in keys))
            base.execute("DELETE FROM frames WHERE key NOT IN (SELECT key FROM there)")
            base.execute("DROP TABLE there")

    def state(self, name: str) -> Any:
        """What was kept under a name; None where nothing was."""
        row = self._one("SELECT body FROM states WHERE name = ?", name)
        return None if row is None else json.loads(row[0])

    # --- sinks ---

    def waiting(self, sink: str, limit: int) -> list[Record]:
        """The next readings that have not arrived at a sink, in order."""
        statement = (
            "SELECT seq, id, body FROM readings WHERE seq > (SELECT arrived FROM sinks WHERE name = ?) "
            "ORDER BY seq LIMIT ?"
        )
        with self._lock, self._errors():
            rows = self._base.execute(statement, (sink, limit)).fetchall()
        return [Record(id, json.loads(body), seq) for seq, id, body in rows]

    def backlog(self, sink: str) -> int:
        """How many readings have not arrived at a sink."""
        statement = "SELECT count(*) FROM readings WHERE seq > (SELECT arrived FROM sinks WHERE name = ?)"
        return int(self._one(statement, sink)[0])

    def arrived(self, sink: str, seq: int) -> None:
        """All readings up to a place have arrived at a sink."""
        with self._transaction() as base:
            base.execute("UPDATE sinks SET arrived = max(arrived, ?) WHERE name = ?", (seq, sink))
            places = ",".join("?" * len(self._sinks))
            (least,) = base.execute(f"SELECT min(arrived) FROM sinks WHERE name IN ({places})", self._sinks).fetchone()
            base.execute("DELETE FROM readings WHERE seq <= ?", (least - KEPT,))

    def arrived_id(self, sink: str, id: str) -> None:
        """As `arrived`, of a reading that a sink says it has; one that is not known is left."""
        row = self._one("SELECT seq FROM readings WHERE id = ?", id)
        if row is not None:
            self.arrived(sink, row[0])

    def close(self) -> None:
        """Fold the log into the file, and let it go."""
        with self._lock, self._errors():
            self._base.close()


def digest(key: str) -> bytes:
    """16 bytes that stand for a frame's key."""
    return hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=16).digest()
