"""metrics.csv survives a process killed in the middle of a line."""

import numpy as np
import pytest

from imaml_ref.runs.metrics import COLUMNS, MetricsFile, read_metrics


def row(step):
    return {"step": step, "seconds": step / 3, "query_loss": np.pi / step}


def write(path, steps, *, after=0):
    with MetricsFile(path, after=after) as metrics:
        for step in steps:
            metrics.append(row(step))


def test_numbers_come_back_as_they_were(tmp_path):
    path = tmp_path / "metrics.csv"
    write(path, [1, 2, 3])
    found = read_metrics(path)
    assert list(found) == list(COLUMNS)
    np.testing.assert_array_equal(found["query_loss"], [np.pi, np.pi / 2, np.pi / 3])
    assert np.isnan(found["validation_score"]).all()


def test_nan_is_an_empty_cell(tmp_path):
    path = tmp_path / "metrics.csv"
    with MetricsFile(path, after=0) as metrics:
        metrics.append(row(1) | {"r2": float("nan")})
    assert "nan" not in path.read_text()
    assert np.isnan(read_metrics(path)["r2"][0])


@pytest.mark.parametrize("cut", [0, 1, 7, 30])
def test_a_resumed_file_equals_an_undisturbed_one(tmp_path, cut):
    whole, resumed = tmp_path / "whole.csv", tmp_path / "resumed.csv"
    write(whole, range(1, 9))
    write(resumed, range(1, 6))
    text = resumed.read_text()
    resumed.write_text(text[: len(text) - cut])  # killed while writing
    write(resumed, range(4, 9), after=3)
    assert resumed.read_text() == whole.read_text()


def test_rows_are_on_disk_after_sync(tmp_path):
    path = tmp_path / "metrics.csv"
    with MetricsFile(path, after=0) as metrics:
        metrics.append(row(1))
        metrics.sync()
        np.testing.assert_array_equal(read_metrics(path)["step"], [1])


def test_a_header_cut_short_is_no_row(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,secon")
    write(path, [1])
    np.testing.assert_array_equal(read_metrics(path)["step"], [1])
