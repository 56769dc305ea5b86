"""The C++ example compiles and passes through files alone; a mistake in it fails."""

import shutil
import subprocess
from pathlib import Path

import pytest

from imaml_ref import conformance

SOURCES = Path(__file__).parents[2] / "examples" / "conformance_cpp"
SUITE = conformance.load_suite()
KNOWN = {"Linear", "Tanh", "Softplus", "ELU", "ReLU"}
STATED = 10
REASONS = {
    "indefinite": "negative curvature",
    "not-stationary": "not stationary",
    "saddle": "not positive definite",
}


def said(*command):
    """Return what a program prints, or None if there is none, or it fails."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


FLAGS = said("pkg-config", "--cflags", "--libs", "hdf5")
pytestmark = pytest.mark.skipif(
    said("g++", "--version") is None or FLAGS is None,
    reason="needs g++, pkg-config and the C library of HDF5 (libhdf5-dev)",
)


def compiled(sources, program, optimised="-O0"):
    """Compile the example, warnings as errors; return the program."""
    build = ["g++", optimised, "-std=c++17", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(
        [*build, sources / "answer.cpp", "-o", program, *FLAGS.split()], check=True
    )
    return program


@pytest.fixture(name="inputs", scope="module")
def write_inputs(tmp_path_factory):
    path = tmp_path_factory.mktemp("inputs") / "inputs.h5"
    conformance.export_inputs(path, SUITE.values())
    return path


def checked(program, inputs, answers):
    """Run a program on the inputs, and judge its answers."""
    done = subprocess.run(
        [program, inputs, answers], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return conformance.check_file(answers)


@pytest.fixture(name="program", scope="module")
def compile_the_example(tmp_path_factory):
    return compiled(SOURCES, tmp_path_factory.mktemp("cpp") / "answer")


@pytest.fixture(name="report", scope="module")
def run_the_example(program, inputs):
    return checked(program, inputs, program.parent / "answers.h5")


def is_known(case):
    """Whether the example can express the network of a case."""
    layers = case.network["layers"] if case.network else []
    return {entry["type"] for entry in layers} <= KNOWN


def test_every_case_that_it_can_express_passes_to_ten_digits(report):
    expressed = [v for v in report.verdicts if is_known(SUITE[v.case])]
    assert len(expressed) > 120
    for v in expressed:
        assert v.outcome in {"pass", "warned"}, f"{v.case} {v.level}: {v.message}"
    fewest = min(v.digits for v in expressed if v.digits is not None)
    assert fewest >= STATED
    print(f"C++: {len(expressed)} answers, at least {fewest:.1f} digits")


def test_of_other_networks_it_says_nothing(report):
    others = {v.outcome for v in report.verdicts if not is_known(SUITE[v.case])}
    assert others == {"not attempted"}


def test_it_warns_where_there_is_no_answer(report):
    found = {v.case: v.message for v in report.verdicts if v.case in REASONS}
    for name, reason in REASONS.items():
        assert reason in found[name]


def test_a_factor_that_is_forgotten_fails_at_the_meta_gradient(inputs, tmp_path):
    shutil.copytree(SOURCES, tmp_path / "wrong")
    source = tmp_path / "wrong" / "meta_gradient.hpp"
    line = "  for (std::size_t i = 0; i < g.size(); ++i) g[i] *= p.lam[i];\n"
    text = source.read_text()
    assert text.count(line) == 1
    source.write_text(text.replace(line, ""))
    program = compiled(tmp_path / "wrong", tmp_path / "answer", "-O1")
    report = checked(program, inputs, tmp_path / "answers.h5")
    outcomes = {
        v.level: v.outcome
        for v in report.verdicts
        if v.case == "mlp-tanh" and v.answer not in ("inner", "lam_grad")
    }
    levels = {"L1": "pass", "L2": "pass", "L4": "fail", "L5": "fail"}
    assert outcomes.items() >= levels.items()


def test_the_lines_at_the_head_of_the_header_are_a_program(inputs, tmp_path):
    shutil.copytree(SOURCES, tmp_path / "mine")
    text = (SOURCES / "conformance.hpp").read_text("utf-8")
    lines = [t[5:] for t in text.splitlines() if t.startswith("//   ")]
    assert len(lines) <= 10
    start = [
        '#include "meta_gradient.hpp"',
        "h5::Array my_solve(h5::Array A, h5::Array b) {",
    ]
    start += ['  if (A.data.empty()) throw Refused("nothing");']
    start += ["  return {{b.shape[0]}, Vector(b.shape[0], 0.5)};", "}"]
    (tmp_path / "mine" / "answer.cpp").write_text("\n".join([*start, *lines]))
    report = checked(
        compiled(tmp_path / "mine", tmp_path / "mine.out"), inputs, tmp_path / "a.h5"
    )
    assert {v.outcome for v in report.verdicts if v.level != "L3"} == {"not attempted"}
    assert {v.got[0] for v in report.verdicts if v.got is not None} == {0.5}


def test_a_foreign_file_is_refused_in_one_line(program, tmp_path):
    answers = tmp_path / "answers.h5"
    conformance.write_answers(answers, {})
    for path, text in ((answers, "no inputs of the suite"), (tmp_path, "cannot open")):
        done = subprocess.run(
            [program, path, tmp_path / "other.h5"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert text in done.stderr
        assert done.stderr.count("\n") == 1
