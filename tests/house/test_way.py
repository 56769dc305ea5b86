"""docs/house.md: the way of a θ is the one that a call takes; what it names exists."""

import re
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import imaml_ref as ir

PAGE = (Path(__file__).parents[2] / "docs" / "house.md").read_text(encoding="utf-8")
ROOT = Path(ir.__file__).parent


def stations():
    """Return (file, function) in the order of the numbered list."""
    for line in re.findall(r"^\d+\. (.*)$", PAGE, re.M):
        file = None
        for path, function in re.findall(r"`([\w/]+\.py)`|\*\*`([\w.]+)`\*\*", line):
            file = path or file
            if function:
                yield file, function


@pytest.fixture
def calls():
    """Return the calls of one implicit gradient by the layers, in their order."""
    rng = np.random.default_rng(0)
    loss = ir.TaskLoss(ir.architectures.mlp((4,), (5,), 3), ir.SoftmaxCrossEntropy())
    x, y = rng.normal(size=(3, 6, 4)), rng.integers(0, 3, (3, 6))
    tasks = ir.TaskBatch(x[:, :4], y[:, :4], x[:, 4:], y[:, 4:])
    theta, found = loss.net.init(rng, dtype=np.float64), []

    def look(frame, event, _):
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(ROOT):
            name = frame.f_code.co_qualname
            found.append((path.relative_to(ROOT).as_posix(), name))

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        with ir.plain_path():
            ir.implicit_gradient(loss, theta, tasks, solver=ir.CG(maxiter=2))
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return found


def test_the_way_of_a_theta_is_the_one_of_the_page(calls):
    listed, place = list(stations()), 0
    assert len(listed) >= 15
    for station in listed:
        assert station in calls[place:], f"{station} does not follow {calls[place - 1]}"
        place = calls.index(station, place) + 1


def test_floors_and_files_that_the_page_names_exist():
    _, _, text = PAGE.partition("## The floors")
    for block in re.split(r"^\*\*`", text, flags=re.M)[1:]:
        floor, rest = block.split("`", 1)
        assert (ROOT / floor).exists(), floor
        if floor.endswith("/"):
            for name in re.findall(
                r"`([\w]+(?:\.py|\.cu|\.h5|/))`", rest.partition("## ")[0]
            ):
                assert (ROOT / floor / name).exists() or name.endswith("/"), (
                    floor + name
                )
