"""What an agent with nothing to do takes: `python -m tests.benchmarks idle` (about four minutes; WATCH_S=20 makes it shorter).

The model is the one that ships. One frame is scored; the idle agent is then measured with the model and the decoder still in memory,
and again after both have left it, as they do by themselves. A last frame shows what their return costs. Only the agent's patience
with an idle model is shortened, from 300 s.

Targets: <= 1 % of a core; <= 300 MB with the model loaded, <= 150 MB without.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from tests import an_agent
from tests.an_agent import AgentProcess, frame, until, write_frame
from tests.benchmarks.footprint import family, processor_s, resident_mb

WATCH_S = float(os.environ.get("WATCH_S", "60"))
MODEL_IDLE_S = WATCH_S + 20
SETTLING_S = 10.0
"""Between a frame and the measurement: the last commit, the outbox and the scan have their say first."""

IMPATIENT = f"from edge_agent.inference import EmbeddedPredictor as P; P.__init__.__kwdefaults__['idle_s'] = {MODEL_IDLE_S}; "


def main() -> None:
    an_agent.RUN = IMPATIENT + an_agent.RUN
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        with AgentProcess(home / "agent", home / "images", model="sem-real").start() as agent:
            agent.ready()
            assert agent.process is not None
            pid = agent.process.pid
            print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; memory of the agent with its children, each shared page once\n")
            print(f"{'state':44}{'processes':>10}{'MB':>6}{'target':>8}{'MB summed':>11}{'% of a core':>13}{'target':>8}{'s':>6}")
            row("started, canary answered, no frame yet", pid, 300)
            score_one(agent, 1)
            row("a frame was scored", pid, 300)
            time.sleep(SETTLING_S)
            row("idle, model loaded", pid, 300, WATCH_S)
            loaded_mb = resident_mb(pid)[1]
            until(lambda: len(family(pid)) == 1 and resident_mb(pid)[1] < loaded_mb - 20, "the model and the decoder to leave memory", 120)
            row("idle, model and decoder unloaded", pid, 150, WATCH_S)
            began = time.perf_counter()
            score_one(agent, 2)
            print(f"\nthe next frame after that is told {time.perf_counter() - began:.2f} s after its file, settling included")
            row("it was scored", pid, 300)
            agent.stop()


def score_one(agent: AgentProcess, number: int) -> None:
    write_frame(agent.watched / "S0" / f"{number}.tif", frame(number, (768, 1024)))
    until(lambda: len(agent.events("frame.scored")) == number, f"frame {number}; the agent said:\n{agent.log}")


def row(state: str, pid: int, target_mb: int, watch_s: float = 0.0) -> None:
    summed_mb, mb = resident_mb(pid)
    line = f"{state:44}{len(family(pid)):>10}{mb:>6.0f}{target_mb:>8}{summed_mb:>11.0f}"
    if watch_s:
        before_s, began = processor_s(pid), time.perf_counter()
        time.sleep(watch_s)
        took_s = time.perf_counter() - began
        line += f"{100 * (processor_s(pid) - before_s) / took_s:>13.2f}{1:>8}{took_s:>6.0f}"
    print(line, flush=True)


main()
