"""Files of answers, right and wrong, and the command that is to judge them."""

from dataclasses import replace

import pytest

from imaml_ref import conformance
from imaml_ref.cli import main
from imaml_ref.conformance import Computation, ask, write_answers
from tests.helpers.conformance_reports import CASES, Mistaken, Told
from tests.helpers.tiny_runs import snapshot


@pytest.fixture(name="right", scope="session")
def write_right(tmp_path_factory):
    """A file of right answers."""
    path = tmp_path_factory.mktemp("right") / "right.h5"
    write_answers(path, ask(Computation(), CASES))
    return path


@pytest.fixture(name="wrong", scope="session")
def write_wrong(tmp_path_factory):
    """A file of wrong answers."""
    path = tmp_path_factory.mktemp("wrong") / "wrong.h5"
    write_answers(path, ask(Mistaken(), CASES))
    return path


@pytest.fixture(name="call")
def make_call(tmp_path, capsys, monkeypatch):
    """Run a command in an empty folder; return status, output and errors."""
    monkeypatch.chdir(tmp_path)

    def call(*args):
        capsys.readouterr()
        status = main(["conformance", *map(str, args)])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return status, out, err

    return call


@pytest.fixture(name="refused")
def make_refused(call, tmp_path):
    """Run a command that must end with 2, one line, and nothing written."""

    def refused(*args):
        before = snapshot(tmp_path)
        status, _, err = call(*args)
        assert status == 2
        assert len(err.splitlines()) == 1, err
        assert err.startswith("imaml-ref: ")
        assert snapshot(tmp_path) == before
        return err

    return refused


@pytest.fixture(name="stand_in")
def make_stand_in(monkeypatch):
    """A diagnosis that says the same of everything; returns what it was given."""
    given = []

    def diagnose(report):
        given.append(report)
        told = Told((("ridge", "L2", "hvp"),), text="λ is halved")
        return replace(report, diagnoses=(told,))

    monkeypatch.setattr(conformance, "diagnose", diagnose)
    return given
