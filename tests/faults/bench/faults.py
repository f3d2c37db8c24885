"""Each kind of fault: how it begins and how it ends."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.bench.proxy import FAIR, Weather
from tests.faults.bench.script import KINDS
from tests.faults.bench.truth import UNREADABLE
from tests.faults.bench.world import may_mount, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.faults.bench.script import Fault
    from tests.faults.bench.world import World

AIM_S = 4.0
"""How long a kill waits for the work that it is to interrupt."""
THAW_S = 10.0
"""How long Triton may take to answer after it was stopped."""
AIMS = ("admitted", "finished", "acknowledged")


@dataclass(frozen=True)
class Happened:
    """One fault as it came: times are monotonic."""

    kind: str
    began_s: float
    ended_s: float
    note: str = ""


@dataclass
class Note:
    """What a fault has to say of itself."""

    text: str = ""
    began_s: float = 0.0


def inflict(world: World, fault: Fault) -> Happened:
    """Wait for its moment, begin it, let it last, end it."""
    time.sleep(fault.after_s)
    note = Note(began_s=time.monotonic())
    with BEGIN[fault.kind](world, fault, note):
        time.sleep(fault.lasts_s)
    return Happened(fault.kind, note.began_s, time.monotonic(), note.text)


@contextmanager
def kill_agent(world: World, fault: Fault, note: Note) -> Iterator[None]:
    agent, aim = world.agent, fault.about.get("aim", "any")
    if aim in AIMS:
        place, before, deadline = AIMS.index(aim), agent.progress(), time.monotonic() + AIM_S
        while agent.progress()[place] <= before[place] and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(fault.about["then_s"])
    was = world.readiness.status
    note.began_s = time.monotonic()
    note.text = "missed: it was not running"
    if agent.kill():
        pending = agent.ask("SELECT count(*) FROM admission WHERE outcome IS NULL")
        unsent = agent.ask("SELECT (SELECT max(seq) FROM outbox) - published_up_to FROM journal")
        at_work = "at work" if pending and pending[0][0] else "publishing" if unsent and unsent[0][0] else "idle"
        note.text = "starting" if was == "silent" else at_work
    yield
    agent.start()


@contextmanager
def kill_decoder(world: World, fault: Fault, note: Note) -> Iterator[None]:
    deadline = time.monotonic() + AIM_S
    while not (struck := world.agent.kill_decoder()) and time.monotonic() < deadline:  # it starts with the next file
        time.sleep(0.05)
    note.text = "struck" if struck else "missed: there was none"
    yield


@contextmanager
def kill_broker(world: World, fault: Fault, note: Note) -> Iterator[None]:
    world.broker.kill()
    yield
    world.start_broker()


@contextmanager
def kill_triton(world: World, fault: Fault, note: Note) -> Iterator[None]:
    world.triton.kill()
    yield
    world.triton.start()


@contextmanager
def kill_worker(world: World, fault: Fault, note: Note) -> Iterator[None]:
    note.text = "struck" if world.triton.kill_stubs() else "missed: there was none"
    yield
    try:
        world.triton.reload("tiny")
    except OSError:  # a server whose worker was killed may wait for it in vain
        note.text = "Triton had to be started again"
        world.triton.kill()
        world.triton.start()


@contextmanager
def freeze_agent(world: World, fault: Fault, note: Note) -> Iterator[None]:
    world.agent.signal(signal.SIGSTOP)
    yield
    world.agent.signal(signal.SIGCONT)


@contextmanager
def freeze_broker(world: World, fault: Fault, note: Note) -> Iterator[None]:
    world.broker.freeze()
    yield
    world.broker.thaw()


@contextmanager
def freeze_triton(world: World, fault: Fault, note: Note) -> Iterator[None]:
    world.triton.freeze()
    yield
    world.triton.thaw()
    deadline = time.monotonic() + THAW_S
    while not world.triton.says_live and time.monotonic() < deadline:
        time.sleep(0.05)
    if not world.triton.says_live:  # the real one dies of it now and then: whoever runs it starts it again
        note.text = "Triton did not survive it, and was started again"
        world.triton.kill()
        world.triton.start()


@contextmanager
def unmount_folder(world: World, fault: Fault, note: Note) -> Iterator[None]:
    """The drive goes; an empty folder stays in place of the stream's, or none."""
    run("umount", "--lazy", str(world.data))
    if fault.about["leaves_empty"]:
        world.images.mkdir(exist_ok=True)
    elif world.images.exists():
        world.images.rmdir()
    yield
    run("mount", "--bind", str(world.instrument), str(world.data))


@contextmanager
def rename_folder(world: World, fault: Fault, note: Note) -> Iterator[None]:
    microscope = world.microscope
    home, away = microscope.folder, microscope.folder.with_name("renamed away")

    def move(here: Path, there: Path) -> None:
        with microscope.door:  # its next file goes where the folder is
            microscope.folder = here.rename(there)

    move(home, away)
    yield
    move(away, home)


@contextmanager
def lock_folder(world: World, fault: Fault, note: Note) -> Iterator[None]:
    world.microscope.folder.chmod(0)
    yield
    world.microscope.folder.chmod(0o755)


@contextmanager
def lock_sample(world: World, fault: Fault, note: Note) -> Iterator[None]:
    microscope = world.microscope
    newest = max(microscope.folder.iterdir(), default=None)
    if newest is None:
        note.text = "missed: there was no sample"
        yield
        return
    newest.chmod(0)
    yield
    with microscope.door:
        microscope.truth.excuse_below(newest.name, UNREADABLE)
        newest.chmod(0o755)


@contextmanager
def full_state(world: World, fault: Fault, note: Note) -> Iterator[None]:
    world.state_disk.fill()
    world.microscope.burst(fault.about["files"])  # what SQLite has room for in its log is soon used up
    yield
    world.state_disk.empty()


@contextmanager
def full_data(world: World, fault: Fault, note: Note) -> Iterator[None]:
    world.data_disk.fill(40_000)
    yield
    world.data_disk.empty()


@contextmanager
def network_broker(world: World, fault: Fault, note: Note) -> Iterator[None]:
    note.text = str(fault.about)
    world.to_broker.change(Weather(**fault.about))
    yield
    world.to_broker.change(FAIR)


@contextmanager
def network_triton(world: World, fault: Fault, note: Note) -> Iterator[None]:
    note.text = str(fault.about)
    world.to_triton.change(Weather(**fault.about))
    yield
    world.to_triton.change(FAIR)


@contextmanager
def set_clock(world: World, fault: Fault, note: Note) -> Iterator[None]:
    note.text = str(fault.about)
    world.agent.set_clock(fault.about["offset_s"])
    yield
    world.agent.set_clock(0)


@contextmanager
def lose_events(world: World, fault: Fault, note: Note) -> Iterator[None]:
    world.agent.tell_events(0)
    yield
    world.agent.tell_events(1)


@contextmanager
def double_events(world: World, fault: Fault, note: Note) -> Iterator[None]:
    world.agent.tell_events(2)
    yield
    world.agent.tell_events(1)


@contextmanager
def burst(world: World, fault: Fault, note: Note) -> Iterator[None]:
    note.text = f"{fault.about['files']} files"
    world.microscope.burst(fault.about["files"])
    yield


BEGIN: dict[str, Callable[[World, Fault, Note], AbstractContextManager[None]]] = {name: globals()[name] for name in KINDS}


def possible() -> list[str]:
    """The kinds of fault that can be inflicted here."""
    mounts = may_mount()
    return [name for name, kind in KINDS.items() if mounts or not kind.needs_root]


def undo_all(world: World) -> None:
    """End whatever a fault that failed has left; what is well stays so."""
    for network in (world.to_broker, world.to_triton):
        network.change(FAIR)
    world.agent.set_clock(0)
    world.agent.tell_events(1)
    world.agent.signal(signal.SIGCONT)
