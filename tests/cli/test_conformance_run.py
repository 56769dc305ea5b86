"""imaml-ref conformance run: programs that answer; flags and machines."""

import sys

RIDGE = ["--cases", "ridge"]

COPY = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"
BY_NAME = (
    "import os, shutil, sys; assert os.path.exists(os.environ['IMAML_REF_INPUTS']);"
    "shutil.copy(sys.argv[1], os.environ['IMAML_REF_ANSWERS'])"
)


def test_a_program_gets_the_paths_as_words(call, right):
    status, out, _ = call("run", "--", sys.executable, "-c", COPY, right, "{answers}")
    assert status == 0
    assert "{answers}, suite 2.0: " in out
    look = "import sys, h5py; print(*h5py.File(sys.argv[1])['cases'])"
    program = [sys.executable, "-c", f"{look}; {COPY}", "{inputs}", "{answers}"]
    assert "has schema 'imaml_ref/conformance-inputs'" in call("run", *program)[2]


def test_a_program_gets_the_paths_by_the_environment(call, right):
    assert call("run", sys.executable, "-c", BY_NAME, right)[0] == 0


def test_a_program_that_is_wrong_is_diagnosed(call, right, wrong, stand_in):
    program = [*RIDGE, "--", sys.executable, "-c", BY_NAME]
    assert "λ is halved" not in call("run", *program, right)[1]
    status, out, _ = call("run", *program, wrong)
    assert status == 1
    assert "λ is halved" in out
    assert "λ is halved" not in call("run", "--no-diagnose", *program, wrong)[1]
    assert "λ is halved" in call("run", "--diagnose", *program, right)[1]


def test_a_program_gets_only_the_cases_that_are_named(call, right):
    look = "import os, h5py; file = h5py.File(os.environ['IMAML_REF_INPUTS'])"
    demand = f"{look}; assert list(file['cases']) == ['spd-10', 'ridge']"
    program = [sys.executable, "-c", f"{demand}; {BY_NAME}", right]
    assert call("run", "--cases", "spd-10,ridge", "--", *program)[0] == 0


def test_a_program_that_does_not_deliver(refused, right):
    python = [sys.executable, "-c"]
    assert "cannot run no-such-program" in refused("run", "no-such-program", "-x")
    assert "ended with status 3" in refused("run", *python, "raise SystemExit(3)")
    said = refused("run", *RIDGE, *python, f"{BY_NAME}; raise SystemExit(1)", right)
    assert "ended with status 1" in said
    said = refused("run", *RIDGE, *python, "")
    assert "wrote no answers; write them to the path in" in said
    torn = BY_NAME + "; os.truncate(os.environ['IMAML_REF_ANSWERS'], 3000)"
    assert "truncated" in refused("run", *RIDGE, *python, torn, right)
    assert "CMD" in refused("run")


# Flags and machines


def test_flags_that_cannot_be(refused, right):
    said = refused("check", right, "--cases", "rigde")
    assert "no case 'rigde'; there are ridge, ridge-slow" in said
    assert "no case 'rigde'" in refused("export", "o.h5", "--cases", "rigde")
    assert "the folder none does not exist" in refused("export", "none/o.h5")
    assert "the folder no does not exist" in refused("check", right, "--html", "no/h")
    assert "--dtype must be float64 or float32" in refused("self", "--dtype", "half")
    assert "device must be one of auto, cpu, cuda" in refused("self", "--device", "tpu")


def test_a_gpu_that_is_absent(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert "no GPU back end" in refused("self", "--device", "cuda")
