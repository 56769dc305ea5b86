"""How a run ends that does not finish: divergence, a failed check, signals."""

import json
import shutil
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest

from imaml_ref.cli import main
from tests.helpers.tiny_runs import TINY, as_flags, train

pytestmark = pytest.mark.usefixtures("without_figures")


def test_divergence_keeps_the_last_good_checkpoint(tmp_path, capsys):
    out = tmp_path / "run"
    keys = {"data": "sinusoid", "net": "mlp", "meta-lr": 5, "meta-steps": 30}
    keys = TINY | keys | {"checkpoint-seconds": 1000, "out": out}
    del keys["ways"]  # a regression has none
    assert main(["train", *as_flags(keys)]) == 3
    (line,) = [t for t in capsys.readouterr().err.splitlines() if "imaml-ref:" in t]
    assert "training diverged in meta-step" in line
    with h5py.File(out / "checkpoint.h5") as file:
        assert f"in meta-step {file.attrs['step'] + 1}:" in line
        assert np.isfinite(file["theta"][()]).all()
    assert not (out / "summary.json").exists()


def test_a_solver_that_refuses_stops_the_run(data, tmp_path, capsys):
    flags = "--net mlp --num-filters 4 --curvature hessian --negative-curvature refuse"
    more = "--lam 1e-6 --cg-steps 8 --meta-steps 20"
    assert train(data, tmp_path / "run", *flags.split(), *more.split()) == 3
    assert "not positive definite" in capsys.readouterr().err


def test_a_failed_check_ends_with_one(monkeypatch, capsys, tmp_path):
    from imaml_ref import verify

    good = verify.Row("part", "claim", "witness", 14.0, 12.0)
    bad = verify.Row("part", "claim", "witness", 3.0, 12.0)
    for rows, status in (([good], 0), ([good, bad], 1)):
        monkeypatch.setattr(verify, "rows", lambda rows=rows, **_: iter(rows))
        assert main(["verify", "--json", str(tmp_path / "rows.json")]) == status
    out, err = capsys.readouterr()
    assert err == "imaml-ref: 1 of 2 checks failed\n"
    assert "1 of 2 checks passed" in out


@pytest.mark.parametrize(
    ("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_ends_with_its_status_and_the_checkpoint(
    data, tmp_path, signum, status
):
    out = tmp_path / "run"
    keys = {"data": data, "out": out} | TINY | {"checkpoint-seconds": 1000}
    flags = as_flags(keys | {"meta-steps": 10**6})
    command = [sys.executable, "-m", "imaml_ref", "train", *flags]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while "run: " not in process.stdout.readline():
            pass
        while not (out / "metrics.csv").exists():
            assert process.poll() is None
        process.send_signal(signum)
        _, err = process.communicate(timeout=60)
    assert process.returncode == status
    with h5py.File(out / "checkpoint.h5") as file:
        step = file.attrs["step"]
    way_on = f"go on with imaml-ref train --resume --out {out}"
    assert err.splitlines()[-1].endswith(
        f"stopped with the checkpoint written at meta-step {step}; {way_on}"
    )
    assert len((out / "metrics.csv").read_text().splitlines()) == step + 1


def test_a_resumed_run_that_is_none_says_that_it_starts_anew(data, tmp_path, capsys):
    out = tmp_path / "nowhere"
    keys = {"data": data, "out": out} | TINY | {"meta-steps": 0, "test-tasks": 2}
    note = f"there is no run in {out}: starting anew"
    assert main(["train", "--resume", *as_flags(keys)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == note
    (out / "checkpoint.h5").unlink()  # a run killed before its first checkpoint is one
    (out / "summary.json").unlink()
    assert main(["train", "--resume", "--out", str(out)]) == 0
    assert note not in capsys.readouterr().out


# Files of a run that somebody spoiled


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A finished run of one meta-step."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert train(data, out, "--meta-steps", "1", "--validation-interval", "0") == 0
    return out


@pytest.mark.parametrize(
    "rows", [b"\xff\xfe\n", b"a,b\n1,2\n", b"step,seconds\none,2\n"]
)
def test_a_damaged_metrics_file_is_named(run, tmp_path, capsys, rows):
    out = tmp_path / "run"
    shutil.copytree(run, out)
    (out / "metrics.csv").write_bytes(rows)
    resume = ["train", "--resume", "--out", str(out), "--meta-steps", "2"]
    assert main(resume) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "metrics.csv is damaged" in line
    assert (out / "metrics.csv").read_bytes() == rows
    (out / "metrics.csv").unlink()
    assert main(resume) == 0


@pytest.mark.parametrize("text", [b"[1, 2]", b"3", b"", b"{", b"\xff"])
def test_a_damaged_summary_is_made_anew(run, tmp_path, text):
    out = tmp_path / "run"
    shutil.copytree(run, out)
    (out / "summary.json").write_bytes(text)
    assert main(["train", "--resume", "--out", str(out)]) == 0
    assert json.loads((out / "summary.json").read_text())["test_tasks"] == 5
