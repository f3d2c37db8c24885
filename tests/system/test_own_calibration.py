"""The shipped model, calibrated by an operator without torch, and a past seen through that calibration."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from edge_agent.drift import load_calibration
from tests.an_agent import AgentProcess

if TYPE_CHECKING:
    from pathlib import Path

WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; from edge_agent.cli import main; main()"


def edge_agent(*arguments: str | Path) -> str:
    command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_sem_real_is_calibrated_on_a_folder_and_its_past_replayed(tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model="sem-real")
    edge_agent("simulate", agent.watched, "--samples", "6", "--frames", "3", "--filament", "4:3", "--seed", "5")
    truth = [json.loads(line) for line in (tmp_path / "images.truth.jsonl").read_text().splitlines()]
    normal = [one for one in truth if one["shift"] is None]
    for one in normal:
        target = tmp_path / "normal" / one["lot"] / one["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(agent.watched / one["path"], target)
    said = edge_agent("calibrate", "--from", tmp_path / "normal", "--yes", "--no-changes", "--config", agent.config)
    assert "No false-alarm guarantee can be stated" in said, "there are fewer than six samples a lot"
    (path,) = (agent.state_dir / "calibrations").iterdir()
    calibration = load_calibration(path)
    assert {lot: held.frames for lot, held in calibration.lots.items()} == {
        lot: sum(one["lot"] == lot for one in normal) for lot in {one["lot"] for one in normal}
    }

    assert agent.run_once(timeout_s=110) == 0, agent.log
    then = json.loads(edge_agent("replay", "--journal", "--json", "--config", agent.config))
    assert then["frames_judged_as_recorded"] == then["frames"] == len(truth)
    assert {line["standing"] for line in then["alarms"]} == {"same"}, "there are alarms, and they are those that were raised"
    assert [line["replayed"] for line in then["alarms"]] == [line["raised"] for line in then["alarms"]]
    now = json.loads(edge_agent("replay", "--journal", "--json", "--calibration", path, "--config", agent.config))
    assert now["calibration"] == calibration.source
