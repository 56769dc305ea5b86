"""benchmarks/run.py: the first word names a benchmark, which has the others."""

import sys

import pytest

from benchmarks import run

WITHOUT_HELP = "conformance.control_lam_vector"  # takes a checkout, and imports it


def module_of(name):
    return f"benchmarks.{name}" + ("" if "." in name else ".run")


@pytest.fixture
def ending(monkeypatch):
    """Return a function that runs words to their end, and returns the status."""
    monkeypatch.setattr(sys, "path", ["the folder of the script", *sys.path])

    def status(*words):
        monkeypatch.setattr(sys, "argv", ["run.py", *words])
        with pytest.raises(SystemExit) as ended:
            run.main()
        return ended.value.code

    return status


@pytest.mark.parametrize("name", sorted({*run.QUESTIONS} - {WITHOUT_HELP}))
def test_a_benchmark_is_asked_for_its_help(name, ending, capsys):
    assert ending(name, "--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    asks, *_ = sys.modules[module_of(name)].__doc__.splitlines()
    assert asks in said
    assert sys.argv == [f"benchmarks/run.py {name}", "--help"]
    assert sys.path[0] == str(run.ROOT)


def test_every_question_is_listed_and_lies_in_a_folder():
    folders = {p.parent.name for p in (run.ROOT / "benchmarks").glob("*/run.py")}
    assert folders == {name.partition(".")[0] for name in run.QUESTIONS}
    for name in run.QUESTIONS:
        assert name in run.__doc__
        path = module_of(name).replace(".", "/")
        files = (f"{path}.py", f"{path}/__init__.py")
        assert any((run.ROOT / file).exists() for file in files)


@pytest.mark.parametrize(
    ("words", "status"), [(["--help"], 0), (["-h"], 0), ([], 2), (["no"], 2)]
)
def test_without_a_question_they_are_listed(words, status, ending, capsys):
    assert ending(*words) == status
    assert capsys.readouterr().out.strip() == run.__doc__.strip()
