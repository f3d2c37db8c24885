"""The errors a user may see: each names the thing, the reason and the way out."""

from __future__ import annotations

from typing import ClassVar


class EdgeAgentError(Exception):
    """An expected failure, told in one line.

    Args:
        thing: what is affected (a path, a setting, a peer's address).
        reason: what is wrong with it.
        remedy: what the reader can do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, thing: str, reason: str, remedy: str) -> None:
        super().__init__(thing, reason, remedy)
        self.thing = thing
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.thing}: {self.reason}; {self.remedy}"


class ConfigurationError(EdgeAgentError):
    """A setting is unknown, missing or impossible: exit code 78 (EX_CONFIG)."""

    exit_code = 78


class ModelError(ConfigurationError):
    """A model cannot be used as configured: absent, wrong digest, wrong version, unreadable manifest."""


class StateLockedError(EdgeAgentError):
    """Another agent holds the state directory: exit code 75 (EX_TEMPFAIL)."""

    exit_code = 75


class JournalError(EdgeAgentError):
    """The journal cannot be read or written in a way that waiting will not mend."""


class JournalFullError(JournalError):
    """No room is left for the journal; nothing was committed and the same commit may be tried again."""


class PredictorUnavailableError(EdgeAgentError):
    """The predictor does not answer at present; the same frames may be tried again."""

    exit_code = 75


class SinkUnavailableError(EdgeAgentError):
    """The event sink does not answer at present; the outbox keeps the events."""

    exit_code = 75


class FrameRejectedError(EdgeAgentError):
    """A file or frame cannot be used and goes to quarantine.

    Args:
        thing: the file's path relative to its stream.
        cause: one of `QUARANTINE_REASONS`, the metric label and the event's `reason`.
        reason: the detail a person reads.
        remedy: the way out.
    """

    def __init__(self, thing: str, cause: str, reason: str, remedy: str) -> None:
        super().__init__(thing, reason, remedy)
        self.args = (thing, cause, reason, remedy)
        self.cause = cause

    def __reduce__(self) -> tuple[type[FrameRejectedError], tuple[str, str, str, str]]:
        return type(self), (self.thing, self.cause, self.reason, self.remedy)


QUARANTINE_REASONS: tuple[str, ...] = (
    "empty",
    "truncated",
    "incomplete",
    "unsupported",
    "wrong_type",
    "too_large",
    "too_small",
    "not_finite",
    "constant",
    "unreadable",
    "vanished",
    "decoder_failed",
    "rejected_by_model",
)
"""Every reason a file can be quarantined for: the values of the `reason` label and of the event field."""
