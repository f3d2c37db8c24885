from hypothesis import given
from hypothesis import strategies as st

from edge_agent.watch.listing import FoundFile
from edge_agent.watch.settling import GLIMPSE_S, Settling


def paths_due(settling: Settling, now_s: float) -> list[str]:
    return [candidate.file.path for candidate in settling.due(now_s, 100)]


def test_a_file_is_due_when_it_has_rested() -> None:
    settling = Settling(1.0)
    settling.notice(FoundFile("a", 1, 1), 10.0)
    assert paths_due(settling, 10.99) == []
    assert paths_due(settling, 11.0) == ["a"]


def test_each_change_begins_the_rest_anew() -> None:
    settling = Settling(1.0)
    settling.notice(FoundFile("a", 1, 1), 10.0)
    settling.notice(FoundFile("a", 2, 2), 10.5)
    settling.notice(FoundFile("a", 2, 2), 11.4)  # seen again, not changed
    settling.touch("a", 10.7)
    assert settling.next_due_s() == 11.7


def test_files_noticed_together_come_by_time_then_natural_path() -> None:
    settling = Settling(1.0)
    for path, mtime_ns in (("f10", 5), ("f9", 5), ("late", 6), ("early", 4)):
        settling.notice(FoundFile(path, 1, mtime_ns), 0.0)
    assert paths_due(settling, 1.0) == ["early", "f9", "f10", "late"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3), st.sampled_from(["notice", "touch", "drop"])), max_size=40))
def test_a_file_is_never_due_before_it_rested_and_never_twice(steps: list[tuple[str, int, str]]) -> None:
    settling = Settling(1.0)
    changed: dict[str, float] = {}
    for now, (path, size, step) in enumerate(steps):
        now_s = now * 0.4
        if step == "notice":
            before = changed.get(path)
            settling.notice(FoundFile(path, size, size), now_s)
            changed.setdefault(path, now_s) if before is not None else changed.update({path: now_s})
        elif step == "drop":
            settling.drop(path)
            changed.pop(path, None)
        else:
            settling.touch(path, now_s)
        for candidate in settling.due(now_s, 10):
            assert settling.rests(candidate, now_s) == (now_s - candidate.changed_s >= 1.0)
            if not settling.rests(candidate, now_s):  # a glimpse, and no more often than that
                assert now_s - candidate.noticed_s >= 1.0 + GLIMPSE_S
            settling.drop(candidate.file.path)
            changed.pop(candidate.file.path, None)
    assert sorted(path for path in settling.paths()) == sorted(changed)


def test_a_file_that_is_written_to_without_a_rest_is_glimpsed_every_so_often() -> None:
    settling = Settling(0.5)
    glimpses = []
    for tick in range(100):
        now_s = tick / 10
        settling.notice(FoundFile("a", tick, tick), now_s)
        for candidate in settling.due(now_s, 1):
            assert not settling.rests(candidate, now_s)
            glimpses.append(now_s)
            settling.look_again(candidate, candidate.changed_s + 0.5)
    assert glimpses == [1.5, 3.0, 4.5, 6.0, 7.5, 9.0]


def test_a_file_that_changes_often_until_its_glimpse_is_due_once() -> None:
    settling = Settling(1.0)
    settling.notice(FoundFile("a", 0, 0), 0.0)
    for step in range(1, 20):  # each puts it off to the same moment
        settling.notice(FoundFile("a", step, step), 0.1 * step)
    (candidate,) = settling.due(2.0, 100)
    settling.look_again(candidate, 2.5)
    assert paths_due(settling, 2.5) == ["a"]
