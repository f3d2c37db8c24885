"""The fault script: what is done to whom, when and for how long, drawn from a seed and written down before the run."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def _nothing(_: random.Random) -> dict[str, Any]:
    return {}


def _aim(rng: random.Random) -> dict[str, Any]:
    """When in its work the agent is struck: some time after it began to admit or to finish files, or at any time."""
    return {"aim": rng.choice(("any", "admitted", "finished", "acknowledged")), "then_s": round(rng.uniform(0, 0.04), 4)}


def _offset(rng: random.Random) -> dict[str, Any]:
    return {"offset_s": rng.choice((-30 * 86_400, -3_600, -7, 7, 1_200, 3_600, 60 * 3_600))}


def _weather(rng: random.Random) -> dict[str, Any]:
    return rng.choice((
        {"delay_s": round(rng.uniform(0.02, 0.3), 3)},
        {"bytes_a_second": float(rng.choice((20_000, 60_000)))},
        {"cut_after_bytes": float(rng.choice((20_000, 100_000)))},
        {"cut_after_bytes": 50_000.0, "delay_s": 0.03},
        {"stalled": True},
        {"refused": True},
    ))  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    Attributes:
        share: how often it is drawn among its own sort.
        takes: what it needs for itself while it lasts.
        lasts_s: shortest and longest duration.
        shows: what /readyz should show of it: "ready" turns false, or only "status" leaves ok; None for what it need not show.
        draw: draws its parameters.
        needs_root: whether it mounts or drops rights.
    """

    share: float
    takes: frozenset[str]
    lasts_s: tuple[float, float]
    shows: str | None = None
    draw: Callable[[random.Random], dict[str, Any]] = _nothing
    needs_root: bool = False


AGENT, BROKER, TRITON, FOLDER, STATE, DATA, CLOCK, EVENTS = ["agent", "broker", "triton", "folder", "state", "data", "clock", "events"]

KILLS: dict[str, Kind] = {
    "kill_agent": Kind(45, frozenset({AGENT}), (0.0, 1.5), "ready", _aim),
    "kill_decoder": Kind(22, frozenset({AGENT}), (0.0, 0.0)),
    "kill_broker": Kind(12, frozenset({BROKER}), (0.0, 8.0), "status"),
    "kill_triton": Kind(9, frozenset({TRITON}), (0.0, 8.0), "ready"),
    "kill_worker": Kind(12, frozenset({TRITON}), (0.5, 8.0), "ready"),
}
OTHERS: dict[str, Kind] = {
    "freeze_agent": Kind(3, frozenset({AGENT}), (0.5, 12.0), "ready"),
    "freeze_broker": Kind(3, frozenset({BROKER}), (0.5, 25.0), "status"),
    "freeze_triton": Kind(3, frozenset({TRITON}), (0.5, 15.0), "ready"),
    "unmount_folder": Kind(
        4, frozenset({FOLDER, DATA}), (1.0, 9.0), "ready", lambda rng: {"leaves_empty": rng.random() < 0.5}, needs_root=True
    ),
    "rename_folder": Kind(4, frozenset({FOLDER}), (1.0, 9.0), "ready"),
    "lock_folder": Kind(4, frozenset({FOLDER}), (1.0, 9.0), "ready", needs_root=True),
    "lock_sample": Kind(3, frozenset({FOLDER}), (1.0, 6.0), needs_root=True),
    "full_state": Kind(
        4, frozenset({STATE, FOLDER, DATA}), (1.0, 9.0), "ready", lambda rng: {"files": rng.choice((0, 200))}, needs_root=True
    ),
    "full_data": Kind(4, frozenset({FOLDER, DATA}), (1.0, 6.0), needs_root=True),
    "network_broker": Kind(8, frozenset({BROKER}), (2.0, 12.0), None, _weather),
    "network_triton": Kind(8, frozenset({TRITON}), (2.0, 12.0), None, _weather),
    "set_clock": Kind(6, frozenset({CLOCK}), (2.0, 10.0), None, _offset),
    "lose_events": Kind(4, frozenset({EVENTS}), (3.0, 10.0)),
    "double_events": Kind(3, frozenset({EVENTS}), (3.0, 10.0)),
    "burst": Kind(3, frozenset({FOLDER, DATA}), (0.0, 0.0), None, lambda rng: {"files": rng.choice((100, 300, 1_000, 3_000))}),
}
KINDS = {**KILLS, **OTHERS}
TOGETHER = 0.4
"""How often a second fault comes before the first is over."""
LONG_FREEZES, LONG_FREEZE_S = 0.15, (60.0, 100.0)
"""How often a process is stopped for minutes rather than seconds, and for how long."""
WAITS = 0.6
"""How often a step ends only when the agent is ready again; else the next fault strikes it in its recovery."""


@dataclass(frozen=True)
class Fault:
    """One fault; `after_s` counts from its step's begin."""

    kind: str
    after_s: float
    lasts_s: float
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def shows(self) -> str | None:
        """What /readyz should show of this one."""
        if self.kind == "full_state" and not self.about["files"]:
            return None  # a few frames find room
        if self.kind.startswith("network_") and (self.about.get("stalled") or self.about.get("refused")):
            return "status" if self.kind == "network_broker" else "ready"
        return KINDS[self.kind].shows


@dataclass(frozen=True)
class Step:
    """Faults that may overlap, and whether to wait for a well agent before them and after them."""

    number: int
    faults: tuple[Fault, ...]
    waits: bool
    pause_s: float


def draw_script(seed: int, kills: int, kinds: Sequence[str], scale: float = 1.0) -> list[Step]:
    """So many kills and half as many other faults, each of `kinds` at least once where there is room, in random order.

    Args:
        seed: decides everything.
        kills: kill -9 of a process.
        kinds: names in KINDS.
        scale: of durations and bursts; less than 1 for a short run.
    """
    rng = random.Random(f"script {seed}")
    wanted = _drawn(rng, {name: KILLS[name] for name in kinds if name in KILLS}, kills)
    others = {name: OTHERS[name] for name in kinds if name in OTHERS}
    wanted += _drawn(rng, others, max(len(others), kills // 2 if others else 0))
    rng.shuffle(wanted)
    steps: list[Step] = []
    while wanted:
        names = [wanted.pop()]
        if wanted and rng.random() < TOGETHER and not KINDS[wanted[-1]].takes & KINDS[names[0]].takes:
            names.append(wanted.pop())
        faults = tuple(_fault(rng, name, 0.0 if place == 0 else round(rng.uniform(0.0, 3.0), 3), scale) for place, name in enumerate(names))
        steps.append(Step(len(steps), faults, rng.random() < WAITS, round(rng.uniform(0.0, 2.0), 3)))
    return steps


def _drawn(rng: random.Random, kinds: dict[str, Kind], number: int) -> list[str]:
    if not kinds:
        return []
    each = list(kinds)[:number]
    return each + rng.choices(list(kinds), [kind.share for kind in kinds.values()], k=number - len(each))


def _fault(rng: random.Random, name: str, after_s: float, scale: float) -> Fault:
    kind = KINDS[name]
    shortest_s, longest_s = kind.lasts_s
    about = kind.draw(rng)
    if name == "burst":
        about["files"] = max(20, int(about["files"] * scale))
    lasts_s = rng.uniform(shortest_s, max(shortest_s, longest_s * scale))
    if name.startswith("freeze_") and rng.random() < LONG_FREEZES:
        lasts_s = scale**2 * rng.uniform(*LONG_FREEZE_S)
    return Fault(name, after_s, round(lasts_s, 3), about)


def save_script(path: Path, seed: int, steps: Sequence[Step]) -> None:
    """Write it down."""
    path.write_text(json.dumps({"seed": seed, "steps": [asdict(step) for step in steps]}, indent=1))
