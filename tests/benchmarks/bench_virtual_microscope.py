"""The virtual microscope's pace in training arrays: `python -m tests.benchmarks virtual_microscope`; SAMPLES=5 makes it shorter.

One thread; processor time, so that neighbours on the machine do not count. A sample's specimen is rendered anew for each call.

Target: >= 500 fields of 64 x 64 a second on one core, over all known lots.
"""

from __future__ import annotations

import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

from edge_agent.simulate import KNOWN_LOTS, VirtualMicroscope

SAMPLES = int(os.environ.get("SAMPLES", "10"))
"""Samples a lot."""


def main() -> None:
    microscope = VirtualMicroscope(0)
    microscope.fields(KNOWN_LOTS[0], 0, 1)
    print(f"{SAMPLES} samples of each of {len(KNOWN_LOTS)} lots, one thread of {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print(f"{'fields a sample':>16}{'fields/s, mean':>16}{'slowest lot':>13}{'fastest lot':>13}{'target':>8}")
    for count in (16, 32, 64):
        seconds = []
        for lot in KNOWN_LOTS:
            began = time.process_time()
            for sample in range(SAMPLES):
                microscope.fields(lot, sample, count)
            seconds.append(time.process_time() - began)
        paces = [SAMPLES * count / each for each in seconds]
        mean = len(KNOWN_LOTS) * SAMPLES * count / sum(seconds)
        print(f"{count:>16}{mean:>16.0f}{min(paces):>13.0f}{max(paces):>13.0f}{500:>8}")


main()
