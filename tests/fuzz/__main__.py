"""`python -m tests.fuzz [TARGET ... | --all] [--seconds N] [--keep FOLDER]`: fuzzes, and prints executions and finds."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.starts import starts
from tests.fuzz.targets import targets

EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)|^#(\d+)", re.MULTILINE)
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
MOST_FINDS = 5
RSS_MB = 3072
INPUT_S = 20
GRACE_S = 120


def main() -> int:
    """Run what was asked for; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*")
    parser.add_argument("--all", action="store_true", help="each target in turn")
    parser.add_argument("--list", action="store_true", help="name the targets")
    parser.add_argument("--seconds", type=int, default=60, help="how long each target runs")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-corpus"), help="where inputs and finds are kept between runs")
    asked = parser.parse_args()
    chosen = list(targets()) if asked.all or asked.list else asked.target
    if asked.list or not chosen:
        print("\n".join(targets()))
        return 0
    finds = 0
    for name in chosen:
        finds += _fuzz(name, asked.seconds, asked.keep)
    return bool(finds)


def _fuzz(name: str, seconds: int, keep: Path) -> int:
    inputs, found = keep / name / "inputs", keep / name / "found"
    for place in (inputs, found):
        place.mkdir(parents=True, exist_ok=True)
    for start in starts(name):
        (inputs / hashlib.sha256(start).hexdigest()[:16]).write_bytes(start)
    before = {path.name for path in found.iterdir()}
    began, executed = time.monotonic(), 0
    for _ in range(MOST_FINDS):
        left = int(seconds - (time.monotonic() - began))
        if left < 1:
            break
        command = [sys.executable, "-m", "tests.fuzz.run", name, str(inputs), f"-max_total_time={left}", f"-rss_limit_mb={RSS_MB}"]
        command += [f"-timeout={INPUT_S}", "-print_final_stats=1", f"-artifact_prefix={found}/", "-max_len=131072", "-len_control=50"]
        with tempfile.TemporaryDirectory(prefix="edge-agent-fuzz-", dir=IN_MEMORY) as place:  # libFuzzer ends without tidying up
            surroundings = {**os.environ, "TMPDIR": place}
            patience_s = left + GRACE_S
            ended = subprocess.run(
                command, capture_output=True, text=True, errors="replace", check=False, timeout=patience_s, env=surroundings
            )
        counts = [int(whole or passing) for whole, passing in EXECUTED.findall(ended.stderr)]
        executed += max(counts, default=0)
        if ended.returncode == 0:
            break
        (keep / name / "last.log").write_text(ended.stderr[-20_000:] + ended.stdout[-2_000:])
    new = {path.name for path in found.iterdir()} - before
    took_s = time.monotonic() - began
    print(f"{name:<20} {executed:>10} executions {took_s:>7.0f} s  {', '.join(sorted(new)) or 'nothing found'}", flush=True)
    return len(new)


if __name__ == "__main__":
    sys.exit(main())
