"""One run of the bench: the world, its faults, the check, the report."""

from __future__ import annotations

import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from tests.calibrated_model import write_calibrated_model
from tests.faults.bench import gather
from tests.faults.bench.checker import Run, Undisturbed, differences
from tests.faults.bench.faults import Happened, inflict, possible, undo_all
from tests.faults.bench.report import fault_counts, in_words, outcome_counts, readiness_table
from tests.faults.bench.script import Step, draw_script, save_script
from tests.faults.bench.undisturbed import undisturbed
from tests.faults.bench.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

WELL = {"ready": frozenset({"ok", "degraded"}), "status": frozenset({"ok"})}
RECOVERY_S = 60.0
"""How long a step waits for the agent's recovery."""
SETTLING_S = 180.0
"""How long the agent may take, when all faults are over, to be through with everything."""
FIRST = 1_000
"""Differences that are reported."""


@dataclass(frozen=True)
class Order:
    """What is asked for on the command line.

    Attributes:
        seed: draws script, frames and weather.
        kills: how many.
        minutes: when to stop inflicting faults, whatever is left of the script.
        kinds: of faults; all that are possible here when empty.
        scale: of durations and bursts.
        rate: frames a second.
        quiet_s: undisturbed time before the first fault.
        keep: where to leave everything; nowhere when None.
    """

    seed: int
    kills: int = 200
    minutes: float = 60.0
    kinds: tuple[str, ...] = ()
    scale: float = 1.0
    rate: float = 4.0
    quiet_s: float = 5.0
    keep: Path | None = None

    @property
    def command(self) -> str:
        """The one command that does it again."""
        words = [f"python -m tests.faults.bench --seed {self.seed} --kills {self.kills} --minutes {self.minutes:g}"]
        words += [f"--faults {','.join(self.kinds)}"] if self.kinds else []
        words += [f"--{name} {value:g}" for name, value, usual in (("scale", self.scale, 1), ("rate", self.rate, 4)) if value != usual]
        return " ".join(words)


def bench(order: Order) -> dict[str, Any]:
    """Run it, and return the report; its `differences` are empty when all is well."""
    with ExitStack() as ends:
        if order.keep is None:
            base = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="fault-bench-")))
        else:
            base = order.keep.absolute()
            base.mkdir(parents=True)
        base.chmod(0o755)
        kinds = [kind for kind in possible() if not order.kinds or kind in order.kinds]
        steps = draw_script(order.seed, order.kills, kinds, order.scale)
        save_script(base / "script.json", order.seed, steps)
        return _run(order, base, steps)


def _run(order: Order, base: Path, steps: Sequence[Step]) -> dict[str, Any]:
    began_s = time.monotonic()
    models = write_calibrated_model(base / "models")
    world = World(base, models, order.seed, order.rate)
    with world:
        if not world.readiness.wait(WELL["status"], RECOVERY_S):
            raise RuntimeError(f"the agent did not become ready: {world.agent.log.read_text()[-3000:]}")
        world.read_along()
        world.microscope.start()
        time.sleep(order.quiet_s)
        happened, measured = _inflict_all(world, steps, began_s + order.minutes * 60)
        undo_all(world)
        world.microscope.stop()
        late = _settle(world)
        agent = _agent_at_the_end(world)
        code = world.agent.stop()
        truth = world.microscope.truth
        truth.save(base / "truth.json")
        kept = gather.kept(world.state_dir)
        consumed = gather.consumed(world.consumer.lines())
        ran_s = time.monotonic() - began_s
        quiet = undisturbed(base / "undisturbed", models, world.triton.url, truth, kept) if kept.frames else Undisturbed()
    crashes = [f"crashed: {end}" for end in world.agent.crashes] + ([f"not through: {late}"] if late else [])
    crashes += [f"did not stop: SIGTERM was answered with exit code {code}"] if code else []
    run = Run(truth, kept, consumed, quiet, crashes)
    found = list(islice(differences(run), FIRST))
    if not quiet.alerts:
        found.append("nothing proved: the undisturbed agent raised no alert")
    report = {
        "seed": order.seed,
        "command": order.command,
        "verdict": f"{len(found)} differences; the first: {found[0]}"
        if found
        else "nothing lost, doubled or reordered; alerts as undisturbed",
        "minutes": ran_s / 60,
        "steps": len(steps),
        "faults": fault_counts(happened),
        "counts": outcome_counts(run),
        "agent": agent,
        "ends": world.agent.ends,
        "readiness": readiness_table(measured),
        "measured": measured,
        "differences": found,
    }
    seen = [(round(seen.at_s - began_s, 2), seen.status, seen.reasons) for seen in world.readiness.seen]
    (base / "readiness.json").write_text(json.dumps(seen, indent=0))
    (base / "report.json").write_text(json.dumps(report, indent=1))
    return report


def _inflict_all(world: World, steps: Sequence[Step], until_s: float) -> tuple[list[Happened], list[dict[str, Any]]]:
    happened: list[Happened] = []
    measured: list[dict[str, Any]] = []
    for step in steps:
        if time.monotonic() > until_s:
            break
        if world.triton.ended_by_itself:  # as it does now and then minutes after it was frozen: whoever runs it starts it again
            print("  Triton ended by itself and is started again", flush=True)
            world.triton.stop()
            world.triton.start()
        was_well = world.readiness.wait(WELL["status"], RECOVERY_S if step.waits else 0.0)
        newest = _strike(world, step)
        happened += newest
        print(
            f"{step.number + 1}/{len(steps)}", *(f"{one.kind} {one.ended_s - one.began_s:.1f} s {one.note};" for one in newest), flush=True
        )
        if step.waits:
            if not world.readiness.wait(WELL["status"], RECOVERY_S):
                print(f"  not well {RECOVERY_S:g} s later: {world.readiness.seen[-1]}", flush=True)
            shows = step.faults[0].shows
            if len(step.faults) == 1 and shows is not None and was_well and not newest[0].note.startswith("missed"):
                measured.append(_measure(world, newest[0], WELL[shows], step.faults[0].about))
        time.sleep(step.pause_s)
    return happened, measured


def _strike(world: World, step: Step) -> list[Happened]:
    """Inflict a step's faults side by side, and wait until all are over."""
    with ThreadPoolExecutor(len(step.faults)) as threads:
        struck = [threads.submit(inflict, world, fault) for fault in step.faults]
    try:
        return [one.result() for one in struck]
    except Exception as error:
        raise RuntimeError(f"a fault of step {step.number} could not be inflicted: {step.faults}") from error


def _measure(world: World, fault: Happened, well: frozenset[str], about: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": fault.kind,
        "about": about,
        "lasted_s": round(fault.ended_s - fault.began_s, 3),
        "shown_s": world.readiness.until_away(fault.began_s, fault.ended_s, well),
        "over_s": world.readiness.until_well(fault.ended_s, well),
    }


def _settle(world: World) -> str:
    """Wait until the agent is through with every file; why not, when it is not in time."""
    deadline = time.monotonic() + SETTLING_S
    missing: list[str] = []
    while time.monotonic() < deadline:
        time.sleep(1.0)
        ((pending, unsent),) = world.agent.ask(
            "SELECT (SELECT count(*) FROM admission WHERE outcome IS NULL),"
            " coalesce((SELECT max(seq) FROM outbox), 0) - published_up_to FROM journal"
        ) or [(-1, -1)]
        known = {path for (path,) in world.agent.ask("SELECT DISTINCT path FROM admission")}
        missing = [
            path for path, versions in world.microscope.truth.versions.items() if versions[-1].fate != "optional" and path not in known
        ]
        if pending == 0 and unsent <= 1 and not missing:  # a heartbeat may just be on its way
            time.sleep(6.0)  # rewritten files: another scan
            return ""
    never = f"{len(missing)} never admitted ({', '.join(missing[:3])})"
    return f"{pending} files unfinished, {unsent} events unsent, {never}; {world.readiness.seen[-1]}"


def _agent_at_the_end(world: World) -> dict[str, Any]:
    """What it takes, and that Prometheus saw it."""
    pid = world.agent.pid
    if pid is None:
        return {}
    process = psutil.Process(pid)
    with process.oneshot():
        found: dict[str, Any] = {
            "rss_mb": round(process.memory_info().rss / 1e6, 1),
            "threads": process.num_threads(),
            "open_files": process.num_fds(),
            "lived_s": round(time.time() - process.create_time(), 1),
        }
    scraped = {
        "prometheus_saw_it_up": "avg_over_time(up[2h])",
        "prometheus_saw_lives": "changes(process_start_time_seconds[2h]) + 1",
        "prometheus_saw_rss_mb": "last_over_time(process_resident_memory_bytes[1m]) / 1e6",
    }
    for name, question in scraped.items():
        answer = world.prometheus.query(question)
        found[name] = round(float(answer[0]["value"][1]), 2) if answer else None
    found["logs_mb"] = round(sum(path.stat().st_size for path in world.base.glob("life-*.log")) / 1e6, 2)
    found["journal_mb"] = round(sum(path.stat().st_size for path in world.state_dir.glob("journal.sqlite3*")) / 1e6, 1)
    return found


def tell(report: dict[str, Any], path: Path | None) -> None:
    """Print the page; write both to `path` and its .txt neighbour."""
    page = in_words(report)
    print(page)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=1))
        path.with_suffix(".txt").write_text(page)
