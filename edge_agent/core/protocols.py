"""The seams between rooms: what each part promises the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.core.event import OutboxRow
    from edge_agent.core.frame import FileIdentity, Frame, SettledFile
    from edge_agent.core.portion import Portion
    from edge_agent.core.prediction import ModelIdentity, Prediction
    from edge_agent.core.verdict import Kind, Observation, Verdict


class Clock(Protocol):
    """Time, injected so that a test can turn it by hand."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch."""
        ...

    def monotonic_s(self) -> float:
        """Seconds on a clock that never goes back."""
        ...


class KnownNames(Protocol):
    """(size, mtime_ns) by name; a dict is one."""

    def get(self, name: str, /) -> tuple[int, int] | None:
        """Of a known name; None of another."""
        ...

    def __contains__(self, name: object, /) -> bool: ...

    def __len__(self) -> int: ...


class KnownFiles(Protocol):
    """What the journal knows of a stream's files."""

    def in_directory(self, stream: str, directory: str) -> KnownNames:
        """Map each known file's name in `directory` ("" is the root) to (size, mtime_ns); blocking, safe from any thread."""
        ...

    def begun(self, stream: str) -> bool:
        """Whether an earlier run has taken stock of this stream's folder; blocking, safe from any thread."""
        ...


class Predictor(Protocol):
    """Answers frames with every member's probabilities."""

    @property
    def model(self) -> ModelIdentity:
        """Which model answers."""
        ...

    @property
    def degradation(self) -> str:
        """Which members the last canary found stale or missing, and what to do; "" when all gave the known answer."""
        ...

    @property
    def members(self) -> int:
        """Members the model has."""
        ...

    @property
    def left_out(self) -> tuple[frozenset[int], frozenset[int]]:
        """Places of the members that the last canary found stale, and of those it found missing, from 0."""
        ...

    @property
    def overdue(self) -> str:
        """Since when a model that was asked has not answered, "" while nothing speaks against it."""
        ...

    @property
    def unheard_s(self) -> float:
        """Seconds since the last answer, infinite before the first."""
        ...

    async def start(self) -> None:
        """Load or connect and run the canary; raise ModelError or PredictorUnavailableError."""
        ...

    def warm(self) -> None:
        """Get ready, without waiting for it: a frame will come before long; call on the loop's thread."""
        ...

    async def predict(self, frames: Sequence[Frame]) -> list[Prediction]:
        """Answer `frames` in order; raise PredictorUnavailableError when the same call may succeed later."""
        ...

    async def check(self) -> None:
        """Run the canary, an inference with a known answer; raise PredictorUnavailableError or ModelError."""
        ...

    async def stop(self) -> None:
        """Release what `start` took."""
        ...


class Judge(Protocol):
    """A stream's drift detector: no clock, no I/O; a restart between any two frames changes nothing."""

    def update(self, observation: Observation) -> Verdict:
        """Take one frame, in sequence order."""
        ...

    def to_json(self) -> str:
        """The whole state, at most a few KB."""
        ...

    def restore(self, state: str) -> None:
        """Continue from what `to_json` gave; raise ValueError for a state of another calibration."""
        ...

    def take_over(self, other: Judge) -> None:
        """Go on with what `other`, which judged the stream until now by another calibration, knows apart from that."""
        ...

    @property
    def not_watched(self) -> str:
        """Why most of the last frames could not be judged; "" while they are."""
        ...

    @property
    def open_kinds(self) -> list[Kind]:
        """The kinds of the episodes that are open now."""
        ...

    @property
    def degradation(self) -> str:
        """Which members are left out of the frames' scores, as the open episode of kind degraded says; "" when none is open."""
        ...

    @property
    def guarantee(self) -> str:
        """One sentence: what false-alarm rate is promised, or why none can be."""
        ...


class Outbox(Protocol):
    """The journal's unsent events."""

    @property
    def journal_id(self) -> str:
        """Identifies the journal; a cursor of another journal is never applied."""
        ...

    async def unsent(self, limit: int) -> list[OutboxRow]:
        """The oldest unsent rows, in order."""
        ...

    async def mark_published(self, up_to: int) -> None:
        """Every row with seq <= `up_to` has been acknowledged."""
        ...

    async def last_seq(self) -> int:
        """The largest seq ever given, 0 for none."""
        ...


class EventSink(Protocol):
    """Where events go: Kafka, or a JSON Lines log."""

    @property
    def name(self) -> str:
        """The value of the metric label `sink`."""
        ...

    async def recover(self, journal_id: str, last_seq: int) -> int:
        """Connect, fence any earlier producer, and return the last seq of this journal that is durably published.

        Raises SinkUnavailableError to be tried again; JournalError when the sink is ahead of the journal.
        """
        ...

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Make `rows` durable, all or none; after SinkUnavailableError call `recover` before the next."""
        ...

    async def check(self) -> None:
        """Ask whether the sink is there while there is nothing to publish; raise SinkUnavailableError, then call `recover`."""
        ...

    async def close(self) -> None:
        """Let go within a few seconds, whatever the peer does."""
        ...


class FrameReader(Protocol):
    """Turns a settled file into frames."""

    def warm(self) -> None:
        """Get ready, without waiting for it: a file will come before long; call on the loop's thread."""
        ...

    async def read(self, path: str, name: str, first: int = 0) -> Portion:
        """Decode the file at absolute `path`, or a portion of it; `name` is what errors call it.

        The portion holds frame `first`, if the file has as many, and may begin before it.

        Raises FrameRejectedError, or another EdgeAgentError when the same file may be tried again.
        """
        ...

    async def close(self) -> None:
        """Stop the decoders."""
        ...


class Admissions(Protocol):
    """Takes settled files from a watcher."""

    def expect(self, stream: str) -> None:
        """A file of `stream` was noticed and will settle before long; call on the loop's thread."""
        ...

    async def admit(self, files: Sequence[SettledFile]) -> None:
        """Journal `files` in this order; waits while the pipeline has enough to do."""
        ...

    async def adopt(self, stream: str, files: Sequence[FileIdentity]) -> None:
        """Journal files that were there before the stream began, so that they are known and never read."""
        ...

    async def begin(self, stream: str) -> None:
        """Journal that stock was taken: from now on every unknown file is new."""
        ...
