"""doctor finds each fault where it is made, and nothing where it is not."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_agent.agent.examination import Finding, arrivals, examine, folders
from edge_agent.agent.examination.access import access, findings_as
from edge_agent.config import load_settings
from edge_agent.core.errors import ConfigurationError
from edge_agent.drift import load_calibration
from edge_agent.frames import known
from tests.an_agent import frame, write_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.config import Settings

decoder, disk, limits = (import_module(f"edge_agent.agent.examination.{name}") for name in ("decoder", "disk", "limits"))
ROOT = sys.platform != "win32" and os.geteuid() == 0


class Installation:
    """A configuration, its folder and its model, all well; a test spoils one of them."""

    def __init__(self, home: Path, models: Path) -> None:
        self.home, self.images, self.state_dir = home, home / "images", home / "state"
        self.path = home / "edge-agent.toml"
        write_frame(self.images / "S1" / "one.tif", frame(1))
        self.text = (
            f'[agent]\nstate_dir = "state"\nmodel_dirs = ["{models.as_posix()}"]\nthreads = 1\n[http]\nlisten = "127.0.0.1:0"\n'
            '[[stream]]\nname = "sem"\npath = "images"\nmodel.name = "tiny"\n'
        )

    @property
    def settings(self) -> Settings:
        self.path.write_text(self.text, encoding="utf-8")
        return load_settings(self.path, {})

    async def found(self, **options: object) -> list[Finding]:
        return await examine(self.settings, self.path, **options)

    async def wrong(self, **options: object) -> list[str]:
        return [f"{finding.part}: {finding.said}" for finding in await self.found(**options) if not finding.good]


@pytest.fixture
def well(tmp_path: Path, models: Path) -> Installation:
    return Installation(tmp_path, models)


@pytest.fixture
def open_to_all(models: Path) -> Iterator[Installation]:
    """The same where every account may enter: pytest's own folders are for one only."""
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        home.chmod(0o755)
        shutil.copytree(models, home / "models")
        (home / "models").chmod(0o755)
        yield Installation(home, home / "models")


def said(findings: list[Finding], part: str) -> str:
    return " | ".join(f"{finding.state}: {finding.said}" for finding in findings if finding.part == part)


async def test_nothing_is_wrong_with_an_installation_that_is_well_and_nothing_is_left_in_it(well: Installation) -> None:
    settings = well.settings
    before = sorted(well.home.rglob("*"))
    findings = await well.found(probe=True)
    assert [finding for finding in findings if not finding.good] == []
    assert "1 files in 2 folders match" in said(findings, "stream sem: files")
    assert "the event of a file written here arrived" in said(findings, "stream sem: events")
    assert "none runs here" in said(findings, "agent")
    assert sorted(well.home.rglob("*")) == before, "whoever makes the state directory owns it"
    assert settings.agent.place == well.state_dir


async def test_without_leave_no_file_is_written_into_the_folder(well: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "write_bytes", lambda *_: pytest.fail("a file was written"))
    assert "events not tried: --probe writes one hidden file for a second" in said(await well.found(), "stream sem: events")


async def test_a_folder_that_is_not_there_is_told_once_with_where_the_way_ends(well: Installation) -> None:
    well.text = well.text.replace('"images"', '"share/day/images"')
    (wrong,) = await well.wrong()
    assert f"({well.home / 'share'} is not there)" in wrong


async def test_a_folder_that_is_a_file_is_told(well: Installation) -> None:
    well.text = well.text.replace('"images"', '"images/S1/one.tif"')
    (wrong,) = await well.wrong()
    assert "one.tif is a file; name the folder that it lies in" in wrong


@pytest.mark.skipif(not ROOT, reason="only root may act as another account")
@pytest.mark.parametrize("name", ["images", "images/S1", "images/S1/one.tif", "edge-agent.toml", "token.txt", "state"])
def test_what_the_service_may_not_read_is_found_as_root(open_to_all: Installation, name: str) -> None:
    well = open_to_all
    well.text = well.text.replace('listen = "127.0.0.1:0"', 'listen = "127.0.0.1:0"\ntoken_file = "token.txt"')
    (well.home / "token.txt").write_text("x")
    settings = well.settings
    well.state_dir.mkdir()
    os.chown(well.state_dir, 65534, 65534)

    def tried() -> list[Finding]:
        return [finding for finding in findings_as("nobody", lambda: access(settings, well.path)) if not finding.good]

    assert [finding.said for finding in tried()] == []
    (well.home / name).chmod(0)
    assert [finding for finding in access(settings, well.path) if not finding.good] == [], "root may all"
    (wrong,) = tried()
    assert Path(name).name in wrong.said
    assert "nobody" in wrong.said


@pytest.mark.skipif(not ROOT, reason="only root may act as another account")
async def test_an_interpreter_that_the_service_may_not_start_is_found_as_root(
    open_to_all: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = open_to_all.home / "closed"
    closed.mkdir(mode=0o700)
    (closed / "python").symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(closed / "python"))
    (wrong,) = [finding for finding in await open_to_all.found(user="nobody") if finding.part == "decoder"]
    assert wrong.state == "mend"
    assert wrong.said.startswith(f"{closed / 'python'} cannot be started by nobody ({closed} may not be entered); let nobody read and")


def test_a_decoder_is_started_and_decodes_a_frame_of_which_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (finding,) = decoder.decoder()
    assert (finding.state, finding.said.split(" ", 1)[0]) == ("fine", sys.executable)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    (finding,) = decoder.decoder()
    assert finding.state == "note"
    assert "no frame could be laid down to try it on (No such file or directory)" in finding.said


def test_packages_that_cannot_be_imported_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    (finding,) = decoder.decoder()
    assert finding.state == "mend"
    assert f"{sys.executable}, started by " in finding.said
    assert "cannot import what decodes (ModuleNotFoundError: No module named 'encodings')" in finding.said


def test_a_decoder_that_reads_no_sound_file_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "SIDE_PX", 4)
    (finding,) = decoder.decoder()
    assert finding.state == "mend"
    assert "does not read a sound TIFF" in finding.said


def test_a_file_that_is_not_there_wants_another_path_not_rights(well: Installation) -> None:
    well.text += 'model.calibration = "none.json"\n'
    (wrong,) = [finding for finding in access(well.settings, well.path) if not finding.good]
    assert wrong.said.endswith("none.json: No such file or directory; correct its path")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lends nobody's account")
async def test_an_account_that_does_not_exist_is_told(well: Installation) -> None:
    with pytest.raises(ConfigurationError, match="there is no such account"):
        await well.found(user="nobody-of-that-name")


@pytest.mark.skipif(not ROOT, reason="only root may give files away")
async def test_another_account_than_the_agents_is_told(well: Installation) -> None:
    well.state_dir.mkdir(mode=0o700)
    os.chown(well.state_dir, 65534, 65534)
    assert "the agent runs as nobody: `doctor --as nobody`" in said(await well.found(), "account")


async def test_patterns_that_match_nothing_although_images_lie_there_are_told(well: Installation) -> None:
    well.text += 'include = ["**/*.png"]\n'
    (wrong,) = await well.wrong()
    assert "none matches include = ['**/*.png'], though 1 .tif files lie there" in wrong


async def test_a_library_that_the_folders_files_need_is_told(well: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(library: str) -> str:
        raise PackageNotFoundError(library)

    monkeypatch.setattr(known, "version", version)
    (wrong,) = await well.wrong()
    assert "of the newest 1 that match 1 need tifffile" in wrong
    assert wrong.endswith("which is not installed; run pip install '.[formats]' in the checkout")


async def test_files_that_no_reader_can_read_are_told(well: Installation) -> None:
    (well.images / "S1" / "one.tif").write_bytes(b"%PDF-1.7 and so on")
    (wrong,) = await well.wrong()
    assert "1 (1 x a PDF document); tighten include" in wrong
    write_frame(well.images / "S1" / "two.tif", frame(2))
    assert await well.wrong() == []
    assert "note: of the newest 2 that match no reader can read 1" in said(await well.found(), "stream sem: files")


async def test_a_link_that_leads_in_a_circle_costs_only_itself(well: Installation) -> None:
    (well.images / "S1" / "loop.tif").symlink_to("loop.tif")
    assert await well.wrong() == []
    assert "fine: 1 files in 2 folders match" in said(await well.found(), "stream sem: files")


def test_a_file_that_goes_while_the_folder_is_listed_costs_only_itself(well: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    write_frame(well.images / "S1" / "two.tif", frame(2))
    walk = folders._walk

    def while_one_goes(root: Path) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
        for folder, entries in walk(root):
            if entries:
                (well.images / "S1" / "one.tif").unlink()
            yield folder, entries

    monkeypatch.setattr(folders, "_walk", while_one_goes)
    (stream,) = well.settings.stream
    assert "1 files in 2 folders match" in next(iter(folders.listing(well.settings, stream))).said


async def test_a_clock_that_lies_behind_the_newest_file_is_told(well: Installation) -> None:
    later = time.time() + 7200
    os.utime(well.images / "S1" / "one.tif", (later, later))
    (wrong,) = await well.wrong()
    assert wrong.startswith("stream sem: clock: the newest file, S1/one.tif, is 2.0 h ahead of this machine's clock")


def test_a_share_whose_clock_is_another_is_told(well: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    wall_ns = time.time_ns
    monkeypatch.setattr(arrivals.time, "time_ns", lambda: wall_ns() - 600 * 10**9)
    (stream,) = well.settings.stream
    wrong = [finding.said for finding in arrivals.file_system(stream, probe=True) if not finding.good]
    assert wrong == ["the share's clock is 10.0 min ahead of this machine's; let both follow one time server (NTP)"]


def test_a_folder_that_tells_of_no_file_is_to_be_polled(well: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "EVENT_PATIENCE_S", 0.1)
    monkeypatch.setattr(arrivals.uuid, "uuid4", lambda: type("Fixed", (), {"hex": "0" * 32}))
    real = arrivals.tells_of
    monkeypatch.setattr(arrivals, "tells_of", lambda folder, _, heard: real(folder, "another name", heard))
    (stream,) = well.settings.stream
    (finding,) = arrivals.file_system(stream, probe=True)
    assert not finding.good
    assert 'set observer = "polling"' in finding.said
    assert sorted(path.name for path in well.images.iterdir()) == ["S1"]


def test_a_folder_too_large_to_be_listed_is_not_waited_for(well: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "LISTING_S", -1.0)
    (stream,) = well.settings.stream
    assert "more than 0 files match; the folder cannot be listed" in next(iter(folders.listing(well.settings, stream))).said


async def test_a_state_directory_in_a_watched_folder_is_told(well: Installation) -> None:
    well.text = well.text.replace('"state"', '"images/state"')
    (wrong,) = await well.wrong()
    assert "lies inside the folder that stream sem watches" in wrong


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
async def test_a_state_directory_and_secrets_that_others_may_read_are_told(well: Installation) -> None:
    well.text = well.text.replace('listen = "127.0.0.1:0"', 'listen = "127.0.0.1:0"\ntoken_file = "token.txt"')
    (well.home / "token.txt").write_text("x")
    (well.home / "token.txt").chmod(0o644)
    well.state_dir.mkdir()
    well.state_dir.chmod(0o755)
    mode, token = await well.wrong()
    assert "has mode 0755: other accounts may look into it; chmod 700" in mode
    assert "token.txt holds a secret, and everybody may read it (mode 0644); chmod 600" in token
    well.state_dir.chmod(0o700)
    (well.home / "token.txt").chmod(0o600)
    assert await well.wrong() == []


def test_a_disk_without_room_and_one_on_the_network_are_told(well: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk.psutil, "disk_usage", lambda _: type("Usage", (), {"free": 10 << 20}))
    monkeypatch.setattr(disk, "network_file_system", lambda _: "cifs")
    wrong = " | ".join(finding.said for finding in disk.disk(well.settings, well.path) if not finding.good)
    assert "lies on a network file system (cifs)" in wrong
    assert wrong.count("0.0 GB are free") == 2


async def test_an_address_that_is_taken_is_told(well: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        well.text = well.text.replace("127.0.0.1:0", f"127.0.0.1:{taken.getsockname()[1]}")
        (wrong,) = await well.wrong()
    assert wrong.startswith("http: [http] listen = 127.0.0.1:")


async def test_a_certificate_that_cannot_be_used_is_told(well: Installation) -> None:
    (well.home / "c.pem").write_text("rubbish")
    files = 'tls_certificate_file = "c.pem"\ntls_key_file = "c.pem"'
    well.text = well.text.replace('listen = "127.0.0.1:0"', f'listen = "127.0.0.1:0"\n{files}')
    (well.home / "c.pem").chmod(0o600)
    (wrong,) = await well.wrong()
    assert "certificate or key cannot be used" in wrong


async def test_a_calibration_of_other_lots_is_told(well: Installation, models: Path) -> None:
    held = load_calibration(models / "tiny" / "calibration.json")
    lots = list(held.lots)
    none = held.model_copy(update={"lots": {"other": held.lots[lots[0]]}})
    (well.home / "own.json").write_text(none.model_dump_json())
    well.text += 'model.calibration = "own.json"\n'
    (wrong,) = await well.wrong()
    assert "it holds other, and none of the model's lots" in wrong
    assert "run `edge-agent calibrate --stream sem`" in wrong


@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
def test_limits_that_are_too_low_are_told(well: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    (well.home / "inotify").mkdir()
    (well.home / "inotify" / "max_user_watches").write_text("1\n")
    monkeypatch.setattr(limits, "INOTIFY", well.home / "inotify")
    monkeypatch.setattr(limits, "FEWEST_FILES", 1 << 40)
    wrong = [finding.said for finding in limits.limits(well.settings) if not finding.good]
    assert len(wrong) == 2
    assert "2 folders to be watched, 1 watches are allowed" in wrong[1]
