"""Any history of admissions, commits, publishing, crashes and prunings keeps the journal's promises."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge_agent.core.clock import SystemClock
from edge_agent.core.event import Event
from edge_agent.core.frame import Admission, FileIdentity, SettledFile, SettleOutcome
from edge_agent.journal import Commit, FinishedFile, Journal, Outcome

names = st.sampled_from(["a.tif", "b.tif", "sub/a.tif"])
states = st.tuples(st.integers(1, 3), st.integers(1, 3))


class JournalHistory(RuleBasedStateMachine):
    """A journal beside a model of it that is a few lists."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.journal = self.loop.run_until_complete(Journal.open(self.folder, clock=SystemClock()))
        self.known: dict[str, tuple[int, int]] = {}
        self.pending: list[Admission] = []
        self.seqs: list[int] = []
        self.events = 0
        self.published = 0
        self.drift: str | None = None

    def teardown(self) -> None:
        self.loop.run_until_complete(self.journal.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    @rule(files=st.lists(st.tuples(names, states), max_size=4))
    def admit(self, files: list[tuple[str, tuple[int, int]]]) -> None:
        settled = [SettledFile(FileIdentity("s", name, *state), SettleOutcome.COMPLETE, 1) for name, state in files]
        admissions = self.loop.run_until_complete(self.journal.admit(settled))
        expected = []
        for name, state in files:
            if self.known.get(name) != state:
                self.known[name] = state
                expected.append((name, state))
        assert [(a.file.path, (a.file.size, a.file.mtime_ns)) for a in admissions] == expected
        self.pending += admissions
        self.seqs += [a.seq for a in admissions]

    @rule(files=st.lists(st.tuples(names, states), max_size=4))
    def adopt(self, files: list[tuple[str, tuple[int, int]]]) -> None:
        self.loop.run_until_complete(self.journal.adopt("s", [FileIdentity("s", name, *state) for name, state in files]))
        self.known |= dict(files)

    @rule(count=st.integers(1, 3))
    def commit(self, count: int) -> None:
        done, self.pending = self.pending[:count], self.pending[count:]
        made = tuple(Event(str(a.seq), "t", "/", "s", "2026-01-01T00:00:00Z", "edge.frames", "a/s", b"{}") for a in done)
        self.drift = str(self.seqs[-1] if self.seqs else 0)
        commit = Commit(tuple(FinishedFile(a, Outcome.COMPANION, a.generation) for a in done), {"s": self.drift}, made)
        self.events += len(made)
        assert self.loop.run_until_complete(self.journal.commit(commit)) == self.events

    @rule(limit=st.integers(1, 5))
    def publish(self, limit: int) -> None:
        rows = self.loop.run_until_complete(self.journal.unsent(limit))
        assert [row.seq for row in rows] == list(range(self.published + 1, min(self.events, self.published + limit) + 1))
        if rows:
            self.published = rows[-1].seq
            self.loop.run_until_complete(self.journal.mark_published(self.published))

    @rule()
    def prune_everything_that_may_go(self) -> None:
        self.loop.run_until_complete(self.journal.prune(2**62))

    @rule()
    def restart(self) -> None:
        before = self.journal.journal_id
        self.loop.run_until_complete(self.journal.close())
        self.journal = self.loop.run_until_complete(Journal.open(self.folder, clock=SystemClock()))
        assert self.journal.journal_id == before

    @invariant()
    def nothing_is_lost_or_invented(self) -> None:
        assert self.loop.run_until_complete(self.journal.pending(0, 1000)) == self.pending
        assert self.loop.run_until_complete(self.journal.last_seq()) == self.events
        assert self.loop.run_until_complete(self.journal.outbox_backlog())[0] == self.events - self.published
        assert self.loop.run_until_complete(self.journal.drift_state("s")) == self.drift
        known = {name: self.journal.in_directory("s", folder).get(name.rpartition("/")[2]) for folder, name in map(where, self.known)}
        assert known == self.known
        assert self.seqs == sorted(set(self.seqs))


def where(name: str) -> tuple[str, str]:
    return name.rpartition("/")[0], name


JournalHistory.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
TestJournalHistory = JournalHistory.TestCase
