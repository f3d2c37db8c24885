"""What a look at a file means: it settled, is given up, is gone, or has to be looked at again; reads no clock and no file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.core.frame import STILL_OPEN, SettledFile, SettleOutcome
from edge_agent.watch.look import Sight

if TYPE_CHECKING:
    from edge_agent.core.telemetry import Telemetry
    from edge_agent.watch.following import Following
    from edge_agent.watch.listing import FoundFile
    from edge_agent.watch.settings import WatchSettings
    from edge_agent.watch.settling import Candidate, Settling

SHORTEST_RECHECK_S, LONGEST_RECHECK_S = 0.1, 1.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """Judges looks, and puts off those candidates that have to be looked at again.

    Attributes:
        settings: the stream, and how long a file must rest and may lack what its header promises.
        settling: the candidates.
        following: the files that are read while their writers add to them.
        telemetry: told of every file that settled.
    """

    settings: WatchSettings
    settling: Settling
    following: Following
    telemetry: Telemetry

    def judge(
        self, candidate: Candidate, sight: Sight, file: FoundFile, now_s: float, now_ns: int, *, away: bool, draining: bool
    ) -> SettledFile | None:
        """The file when it settled or was given up; None when it is gone or has to be looked at again.

        Args:
            candidate: what was looked at.
            sight: what the look found.
            file: the file's state at the look.
            now_s: monotonic seconds.
            now_ns: nanoseconds since the epoch.
            away: whether the whole folder is away.
            draining: whether a file that never rests is given up.
        """
        if sight is Sight.FOLLOWED:
            self.following.note(file, now_s)
        else:
            self.following.drop(candidate.file.path)
        if sight is Sight.GONE:
            if away:  # the file is not to blame
                self.settling.look_again(candidate, now_s + LONGEST_RECHECK_S)
            else:
                self.settling.drop(candidate.file.path)
            return None
        if self._goes_on(candidate, sight, file, now_s, draining=draining):
            return None
        identity = file.identity(self.settings.stream)
        if sight in {Sight.SETTLED, Sight.FOLLOWED}:
            self.telemetry.settled(self.settings.stream, now_s - candidate.noticed_s)
            outcome = SettleOutcome.COMPANION if file.companion_of else SettleOutcome.COMPLETE
            return SettledFile(identity, outcome, now_ns, STILL_OPEN if sight is Sight.FOLLOWED else file.companion_of)
        if not self._is_late(candidate.changed_s, now_s) and sight is not Sight.CHANGED:
            recheck_s = min(max(self.settings.settle_s, SHORTEST_RECHECK_S), LONGEST_RECHECK_S)
            self.settling.look_again(candidate, now_s + recheck_s)
            return None
        if sight is Sight.CLOSED:  # its reader says why it cannot be opened
            return SettledFile(identity, SettleOutcome.COMPLETE, now_ns)
        waited_s = self.settings.settle_timeout_s
        missing = "it holds no bytes" if file.size == 0 else "it lacks bytes that its header promises, or its writer has it open"
        why = (
            f"it was still being written after {waited_s:g} s"
            if sight is Sight.CHANGED
            else f"{missing}, {waited_s:g} s after its last change"
        )
        return SettledFile(identity, SettleOutcome.INCOMPLETE, now_ns, why)

    def _goes_on(self, candidate: Candidate, sight: Sight, file: FoundFile, now_s: float, *, draining: bool) -> bool:
        """Whether the file is still being written, and has to be looked at again; not of one that can be read meanwhile."""
        if sight is Sight.CHANGED:
            self.settling.notice(file, now_s)
            return not (self._is_late(candidate.noticed_s, now_s) and draining)
        if sight is Sight.FOLLOWED or self.settling.rests(candidate, now_s):
            return False
        self.settling.look_again(candidate, candidate.changed_s + self.settings.settle_s)
        return True

    def _is_late(self, since_s: float, now_s: float) -> bool:
        return now_s - since_s >= self.settings.settle_timeout_s
