"""What judging a frame costs, and how large its state is: `python -m tests.benchmarks judge`; targets 50 us and 4096 bytes."""

from __future__ import annotations

import dataclasses
import statistics
import time

from edge_agent.drift import SequentialJudge
from tests.streams import FILAMENT, Stage, calibration


def main() -> None:
    judge, stage = SequentialJudge(calibration()), Stage(1)
    for name, shift in (("in control", (0.0,) * 7), ("in alarm", FILAMENT)):
        frames = [frame for _ in range(100) for frame in stage.sample(24, shift=shift)]
        judging, saving, largest = [], [], 0
        for frame in frames:
            long_path = dataclasses.replace(frame.ref, path=f"{'p' * 190}{frame.ref.seq:06d}.tif")
            observation = dataclasses.replace(frame, ref=long_path)
            began = time.perf_counter_ns()
            judge.update(observation)
            judged = time.perf_counter_ns()
            state = judge.to_json()
            saving.append(time.perf_counter_ns() - judged)
            judging.append(judged - began)
            largest = max(largest, len(state.encode()))
        print(
            f"{name:10}  judging {statistics.median(judging) / 1e3:.0f} us median, {statistics.mean(judging) / 1e3:.0f} us mean; ", end=""
        )
        print(f"state {largest} bytes at most with paths of 200 characters, {statistics.median(saving) / 1e3:.0f} us to write")


if __name__ == "__main__":
    main()
