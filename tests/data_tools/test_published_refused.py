"""Copies of data sets that are not whole, or not what they should be: one line each."""

import os
import re
import sys

import pytest

from data_tools import omniglot
from data_tools.published import pack_published
from imaml_ref.cli import main
from tests.helpers import circulating as forms
from tests.helpers.broken_copies import SPOILED

CASES = [
    pytest.param(form, *case, id=f"{form.__name__}-{i}")
    for form, cases in SPOILED.items()
    for i, case in enumerate(cases)
]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Expect the characters made here, not those of Omniglot."""
    monkeypatch.setattr(omniglot, "ARCHIVES", {"all": 7})
    monkeypatch.setattr(omniglot, "NUM_TRAIN", 3)
    monkeypatch.setattr(omniglot, "NUM_VAL", 2)


def test_every_format_has_ten_broken_variants():
    of = [name for form, name in forms.FORMS.items() for _ in SPOILED.get(form, ())]
    assert {name for name in of if of.count(name) < 10} == set()
    assert set(of) == set(forms.FORMS.values())


@pytest.mark.parametrize(("form", "spoil", "expected"), CASES)
def test_it_is_refused_in_one_line_and_nothing_is_written(
    tmp_path, form, spoil, expected
):
    (tmp_path / "copy").mkdir()
    form(tmp_path / "copy")
    spoil(tmp_path / "copy")
    src = next((tmp_path / "copy").glob("*.zip"), tmp_path / "copy")
    with pytest.raises(ValueError, match=expected) as caught:
        pack_published(forms.FORMS[form], src, tmp_path / "d.h5", size=forms.SIZE)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["copy"]


CALLS = {
    "there is no data set": (["cab"], "no data set is called 'cab'; there are mini"),
    "another data set": (["cub"], "no copy of cub in .*copy; expected {}.json"),
    "another size": (["fc100"], r"shape \(8, 8, 3\), expected \(32, 32, 3\) .* --size"),
    "too many of each": (
        ["fc100", "--size", "8", "--per-class", "4"],
        "4 images per class were asked for, class '0' has 3",
    ),
    "none of each": (["fc100", "--per-class", "0"], "must be at least 1, got 0"),
}


@pytest.mark.parametrize(("words", "expected"), CALLS.values(), ids=CALLS)
def test_a_wrong_call_ends_with_status_two(tmp_path, capsys, words, expected):
    (tmp_path / "copy").mkdir()
    forms.fc100_labels(tmp_path / "copy")
    name, *flags = words
    src, dst = str(tmp_path / "copy"), tmp_path / "d.h5"
    assert main(["data", "pack-published", name, src, str(dst), *flags]) == 2
    *_, said = capsys.readouterr().err.splitlines()
    assert re.search(expected, said)
    assert os.listdir(tmp_path) == ["copy"]


def test_a_file_that_is_there_is_kept(tmp_path):
    forms.fc100_labels(tmp_path)
    (tmp_path / "d.h5").write_text("mine")
    with pytest.raises(ValueError, match=r"d\.h5 is there; move it away, or name ano"):
        pack_published("fc100", tmp_path, tmp_path / "d.h5", size=forms.SIZE)
    assert (tmp_path / "d.h5").read_text() == "mine"


def test_without_pillow_it_says_so_in_one_line(tmp_path, capsys, monkeypatch):
    for name in list(sys.modules):
        if name.partition(".")[0] in ("data_tools", "PIL"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "PIL", None)
    call = ["data", "pack-published", "cub", str(tmp_path), str(tmp_path / "d.h5")]
    assert main(call) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert re.search("PIL.*; it is needed here, install it", said)
    assert os.listdir(tmp_path) == []
