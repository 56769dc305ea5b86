"""Every key with every type of TOML, and keys that come twice: taken, or one line."""

import pytest

from imaml_ref.cli import main
from imaml_ref.config import FIELDS, make_config, read_config, spelled

VALUES = {
    "string": '"x"',
    "integer": "7",
    "float": "1.5",
    "boolean": "true",
    "array": '["x"]',
    "empty array": "[]",
    "array of arrays": "[[1], [2, 3]]",
    "table": "{ path = 'x' }",
    "date and time": "1979-05-27T07:32:00Z",
    "date": "1979-05-27",
    "time": "07:32:00",
    "not a number": "nan",
    "infinity": "-inf",
    "integer beyond a float": "1" + 400 * "0",
}
TAKEN = {  # by the type of the key's default, where the value is in its range
    str: {"string"},
    int: {"integer", "integer beyond a float"},
    float: {"integer", "float"},
    bool: {"boolean"},
}


def is_taken(name, kind):
    closed = name == "preset" or FIELDS[name].metadata.get("choices")
    if kind == "integer beyond a float" and "at_most" in FIELDS[name].metadata:
        return False
    return kind in TAKEN[type(FIELDS[name].default)] and not closed


@pytest.mark.parametrize("name", FIELDS)
def test_a_key_takes_its_type_and_refuses_all_others_by_name(tmp_path, name):
    path = tmp_path / "mine.toml"
    for kind, value in VALUES.items():
        path.write_text(f"{spelled(name)} = {value}\n")
        if is_taken(name, kind):
            read_config(path)
            continue
        with pytest.raises(ValueError, match=spelled(name)) as caught:
            read_config(path)
        assert "must be" in str(caught.value), kind
        assert "\n" not in str(caught.value), kind


REFUSED = {
    'data = ["x"]': "data must be a text, got ['x']",
    'preset = ["paper"]': "preset must be a text, got ['paper']",
    'data.path = "x"': "data must be a text, got {'path': 'x'}",
    "preset = 3": "preset must be a text, got 3",
    "[[lam]]\na = 1": "lam must be a finite number, got [{'a': 1}]",
    "meta-lr = 1\nmeta_lr = 2": "meta-lr is given twice in mine.toml, as 'meta-lr'",
    "seed = 1\nseed = 2": "mine.toml is not valid TOML",
    f"seed = {'1' * 5000}": "mine.toml is not valid TOML",
    "data = " + "[" * 5000: "mine.toml is not valid TOML",
    '"" = 1': "unknown configuration key '' in mine.toml; did you mean",
    '"a\\nb" = 1': "unknown configuration key 'a\\nb' in mine.toml; did you mean",
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.items(), ids=range(len(REFUSED)))
def test_a_file_is_refused_in_one_line(tmp_path, monkeypatch, capsys, text, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(text)
    assert main(["train", "--config", "mine.toml"]) == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert expected in line
    assert not out
    assert [p.name for p in tmp_path.iterdir()] == ["mine.toml"]


def test_a_byte_order_mark_is_passed_over(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbflam = 3\n")
    assert read_config(path) == {"lam": 3}


def test_a_key_may_come_twice_only_from_two_sources():
    assert make_config({"meta-lr": 1.0}, {"meta_lr": 2.0}).meta_lr == 2.0
    with pytest.raises(ValueError, match="meta-lr is given twice, as"):
        make_config({"meta-lr": 1.0, "meta_lr": 1.0})
    with pytest.raises(ValueError, match="unknown configuration key 3"):
        make_config({3: 1})
