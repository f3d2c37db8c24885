import pytest

from edge_agent.core.backtracking import ambiguity_of
from edge_agent.core.naming import LONGEST_PATH, NameRule


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+b",
        r"^(\w+)*_",
        r"^(?:\w+\s?)*(S1)_",
        r"(?:(?:x+)y?)+(z)",
        r"(?:ab|\wb)*(c)",
        r"(?:.*,)*(b)",
        r"(?:[a-z0-9]+|_+|[a-z])*(b)",
        r"^([a-z]*)*$",
        r"((?:a*?)+?)b",
        r"(?:(?:\d{1,30}){1,30})+(x)",
    ],
)
def test_what_can_take_for_ever_is_found(pattern: str) -> None:
    assert ambiguity_of(pattern)
    if pattern.count("(") - pattern.count("(?") == 1:
        with pytest.raises(ValueError, match="can take for ever"):
            NameRule.parse(f"name:{pattern}")


@pytest.mark.parametrize(
    "pattern",
    [
        r"(S[0-9]+)_",
        r"^(?:[^/]+/)*([^/_]+)_[0-9]+\.tif$",
        r"([A-Z]+-\d+)(?:_\d+)*\.tif",
        r"^(.*?)_.*\.tif$",
        r"(?:lot|sample)[ _-]*(\d+)",
        r"((?:[A-Z][a-z]*)+)",
        r"(?:(?:ab)+c)*(d)",
        r"(\w{1,8}(?:\.\w{1,8})*)",
        r"(?i)(?:cat|dog)+(x)",
        r"(?:\d\d)+(x)",
        r"(?<=a)(b+)(?!c)",
    ],
)
def test_what_people_write_for_sample_names_is_not_refused(pattern: str) -> None:
    assert ambiguity_of(pattern) is None


def test_a_path_longer_than_any_search_should_take_has_no_name() -> None:
    rule = NameRule.parse("name:(S[0-9]+)_")
    assert rule.read("a/" * 200 + "S1_2.tif", None) == "S1"
    assert rule.read("a/" * (LONGEST_PATH // 2) + "S1_2.tif", None) is None
