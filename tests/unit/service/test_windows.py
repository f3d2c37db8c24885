"""What can be tried of Windows without it: paths, drive letters, imports. The service itself never ran here."""

import ast
import ntpath
from pathlib import Path, PureWindowsPath

import pytest

import edge_agent
from edge_agent.core.errors import ConfigurationError
from edge_agent.service import refuse_unseen_drives
from edge_agent.watch.native import path_below
from edge_agent.watch.patterns import PathFilter

POSIX_ONLY = {"fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog", "posix"}
SOURCES = sorted(Path(edge_agent.__file__).parent.rglob("*.py"))


class Letters:
    """Stands in for a Windows session's drives, which cannot be had here."""

    def share(self, letter: str) -> str | None:
        return {"Z:": r"\\nas\em", "Y:": "\\\\nas\\root\\"}.get(letter)

    def substituted(self, letter: str) -> str | None:
        return {"S:": r"C:\Users\ann\images"}.get(letter)


@pytest.mark.parametrize(
    ("path", "instead"),
    [
        (r"Z:\images", r"\\nas\em\images"),
        ("Z:/images/S01", r"\\nas\em\images\S01"),
        ("Y:\\", r"\\nas\root"),
        (r"S:\today", r"C:\Users\ann\images\today"),
    ],
)
def test_a_letter_that_a_service_cannot_see_is_refused_with_the_name_it_can(path: str, instead: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot see it") as refused:
        refuse_unseen_drives({"[[stream]] sem: path": PureWindowsPath(path)}, Letters())
    assert instead in str(refused.value)
    assert "[[stream]] sem: path" in str(refused.value)
    assert refused.value.exit_code == 78


@pytest.mark.parametrize("path", [r"C:\images", "D:/images", r"\\nas\em\images", "images", r"\images"])
def test_what_a_service_can_see_is_left_alone(path: str) -> None:
    refuse_unseen_drives({"path": PureWindowsPath(path)}, Letters())


@pytest.mark.parametrize(
    ("path", "root", "below"),
    [
        (r"D:\images\S01\0001.tif", r"D:\images", "S01/0001.tif"),
        (r"d:\IMAGES\S01\0001.tif", r"D:\images", "S01/0001.tif"),
        (r"\\nas\em\S01\0001.tif", r"\\nas\em", "S01/0001.tif"),
        (r"D:\images2\0001.tif", r"D:\images", None),
        (r"D:\images", r"D:\images", None),
        (r"E:\images\0001.tif", r"D:\images", None),
        (r"D:\..images\a.tif", r"D:\\", "..images/a.tif"),
    ],
)
def test_an_event_names_its_file_relative_to_the_folder(path: str, root: str, below: str | None) -> None:
    assert path_below(path, root, ntpath) == below


def test_patterns_may_be_written_with_backslashes() -> None:
    paths = PathFilter((r"images\**\*.TIF",), (r"images\scratch\**",))
    assert paths.takes("images/S01/a.tif")
    assert not paths.takes("images/scratch/a.tif")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.relative_to(SOURCES[0].parent).as_posix())
def test_no_module_imports_at_its_top_what_windows_lacks(source: Path) -> None:
    for statement in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Import):
            assert not {alias.name for alias in statement.names} & POSIX_ONLY
        elif isinstance(statement, ast.ImportFrom):
            assert statement.module not in POSIX_ONLY
