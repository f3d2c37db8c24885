"""What /readyz says, looked at ten times a second from outside, and how soon it shows a fault and its end."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Self

LOOK_S = 0.1
ANSWER_S = 1.0
"""An agent that does not answer for so long is not ready."""
SILENT = "silent"


class _Unready(urllib.request.HTTPErrorProcessor):
    """503 is an answer like any other."""

    def http_response(self, _request: urllib.request.Request, response: Any) -> Any:
        return response


_direct = urllib.request.build_opener(_Unready, urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Seen:
    """From `at_s` (monotonic) on /readyz said so: ok, degraded, unready or silent."""

    at_s: float
    status: str
    reasons: str = ""


class Readiness:
    """Looks at `url` until left."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="readiness", daemon=True)
        self.seen = [Seen(time.monotonic(), SILENT)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def status(self) -> str:
        """The newest one."""
        return self.seen[-1].status

    def wait(self, wanted: frozenset[str], timeout_s: float) -> bool:
        """Whether one of the `wanted` statuses is seen in time."""
        deadline = time.monotonic() + timeout_s
        while self.status not in wanted:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def until_away(self, from_s: float, to_s: float, well: frozenset[str]) -> float | None:
        """Seconds from `from_s` until the status was none of `well`, None when it was not before `to_s`."""
        before = [seen for seen in self.seen if seen.at_s <= from_s]
        if before and before[-1].status not in well:
            return 0.0
        found = [seen.at_s for seen in self.seen if from_s < seen.at_s <= to_s and seen.status not in well]
        return found[0] - from_s if found else None

    def until_well(self, from_s: float, well: frozenset[str]) -> float | None:
        """Seconds from `from_s` until the status was one of `well`, None when it has not been since."""
        before = [seen for seen in self.seen if seen.at_s <= from_s]
        if before and before[-1].status in well:
            return 0.0
        found = [seen.at_s for seen in self.seen if seen.at_s > from_s and seen.status in well]
        return found[0] - from_s if found else None

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            asked_s = time.monotonic()
            status, reasons = self._look()
            at_s = asked_s if status == SILENT else time.monotonic()
            if (status, reasons) != (self.seen[-1].status, self.seen[-1].reasons):
                self.seen.append(Seen(at_s, status, reasons))

    def _look(self) -> tuple[str, str]:
        try:
            with _direct.open(f"{self._url}/readyz", timeout=ANSWER_S) as answer:
                return _told(json.load(answer))
        except (OSError, HTTPException, ValueError):  # it may die in the midst of its answer
            return SILENT, ""


def _told(answer: dict[str, Any]) -> tuple[str, str]:
    unwell = {name: part["reason"] for name, part in answer["parts"].items() if part["state"] != "ok"}
    return answer["status"], "; ".join(f"{name}: {reason}" for name, reason in unwell.items())
