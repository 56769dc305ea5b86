"""Three hundred inputs from a seed, each with its outcome (``tests/inputs``)."""

import warnings

import pytest

from tests.inputs import calls, flags, hdf5, images, take, toml

PARTS = {"images": images, "toml": toml, "hdf5": hdf5, "flags": flags, "calls": calls}
CASES = {
    f"{part}: {drawn.label}": drawn
    for part, module in PARTS.items()
    for drawn in take(module.draw, part, 60)
}
REFUSED = {name for name, d in CASES.items() if isinstance(d.expected, tuple)}
TAKEN = CASES.keys() - REFUSED


@pytest.fixture(autouse=True)
def begin(tmp_path, monkeypatch):
    """Stand in an empty folder, where a training stops as it begins."""

    def stop(run, *_):
        raise flags.Taken(run.config)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("imaml_ref.cli.train.train_run", stop)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_there_are_three_hundred_of_both_kinds():
    assert len(CASES) == 300
    assert min(len(REFUSED), len(TAKEN)) > 90


@pytest.mark.parametrize("name", sorted(TAKEN))
def test_what_is_good_has_the_value_that_it_must_have(name, tmp_path):
    drawn = CASES[name]
    try:
        found = drawn.ask(tmp_path)
    except flags.Taken as taken:
        found = taken.args[0]
    drawn.expected(found)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_not_good_is_refused_in_a_line(name, tmp_path):
    drawn = CASES[name]
    with pytest.raises((ValueError, TypeError, OSError)) as refusal:
        drawn.ask(tmp_path)
    (line,) = str(refusal.value).splitlines()
    for word in drawn.expected:
        assert word in line
