"""What others wrote, names of files above all, is shown by every verb, and commands no terminal."""

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from edge_agent import cli
from edge_agent.agent import Overview
from edge_agent.cli import status
from edge_agent.journal import JournalStatus

NAME = "A\x1b[2J\nB\x9b\u202e.tif"
SHOWN = "A\\x1b[2J\\nB\\x9b\\u202e.tif"


def harmless(said: str) -> bool:
    return SHOWN in said and not set(said) & set("\x1b\x9b\u202e")


def test_status_obeys_no_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = {"path": NAME, "frame_index": 0, "sample": None, "lot": "ebc", "confidence": 1, "entropy": 0, "distance": 1}
    frame |= {"members_answering": 1, "members_expected": 1, "referred": False}
    alert = {"episode": "e", "kind": "unseen_lot", "confidence": None, "stream": "sem", "onset_path": NAME, "onset_sample": NAME}
    alert |= {"onset_time": "2026-01-02T03:04:05.678Z", "reason": NAME, "action": "look"}
    status._show(Overview(None, None, JournalStatus("j", (), (alert,), 0, None, 1), 0, (), (), (frame,), ()), tmp_path)
    said = capsys.readouterr().out
    assert said.count(SHOWN) == 4
    assert harmless(said)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_inspect_obeys_no_name(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(tmp_path / NAME, np.arange(64 * 64, dtype=np.uint16).reshape(64, 64))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["edge-agent", "inspect", NAME, "--no-model"])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)  # to anything else click writes no escape sequences
    with pytest.raises(SystemExit):
        cli.main()
    assert harmless(capsys.readouterr().out)


def test_an_error_obeys_no_name(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["edge-agent", "config", "validate", "--config", f"/{NAME}"])
    with pytest.raises(SystemExit):
        cli.main()
    said = capsys.readouterr().err
    assert harmless(said)
    assert said.count("\n") == 1
