"""Mistakes drawn from a seed can be made, and the statements they are in be marked."""

import sys
from dataclasses import replace
from pathlib import Path

import imaml_ref
from tests.mutation import mutants_rest as rest
from tests.mutation import reached

PACKAGE = Path(imaml_ref.__file__).parent
SOURCE = '''
def clipped(x, low):
    """Return x, low at least."""
    if x < low:
        return low
    return x + 0
'''


def test_a_seed_draws_the_same_and_what_is_drawn_can_be_made_elsewhere():
    part = PACKAGE / "inner"  # of it all it takes seconds
    drawn = rest.draw(part, 3, seed=1)
    assert drawn == rest.draw(part, 3, seed=1)
    assert drawn != rest.draw(part, 3, seed=2)
    assert rest.still_there(part, drawn) == drawn
    gone = replace(drawn[0], function="gone")
    assert rest.still_there(part, [gone, drawn[1]]) == drawn[1:2]


def test_what_has_moved_with_its_function_is_found(tmp_path):
    (tmp_path / "folder").mkdir()
    for name, source in {
        "one": SOURCE,
        "two": "def other(x):\n    return x + 0",
    }.items():
        (tmp_path / "folder" / f"{name}.py").write_text(source)
    drawn = next(m for m, _ in rest.mistakes("flat.py", rest.ast.parse(SOURCE)))
    moved = replace(drawn, file="folder/one.py")
    assert rest.still_there(tmp_path, [drawn]) == [moved]
    (tmp_path / "folder" / "two.py").write_text(SOURCE)  # which of them is it?
    assert rest.still_there(tmp_path, [drawn]) == []
    assert rest.still_there(tmp_path, [moved]) == [moved]


def test_what_other_scripts_look_at_is_left_to_them():
    found = rest.files(PACKAGE)
    assert {"solvers/cg.py", "runs/finish.py", "fused/path.py"} <= set(found)
    assert not {"layers/linear.py", "networks/losses.py", "fused/step.py"} & set(found)


def test_a_mistake_is_made_and_its_statement_marked(monkeypatch):
    found = [m for m, _ in rest.mistakes("a.py", rest.ast.parse(SOURCE))]
    assert {m.after for m in found} >= {"if x <= low:", "return x - 0", "return x + 1"}
    wanted, other = (
        next(m for m in found if m.after == after)
        for after in ("if x > low:", "return x - 0")
    )
    wrong, marked, marks = {}, {}, []
    exec(rest.with_mistake(SOURCE, wanted), wrong)
    assert wrong["clipped"](1, 2) == 1
    monkeypatch.setitem(sys.modules, "reached", reached)  # as it lies in the copy
    monkeypatch.setattr(reached, "mark", marks.append)
    exec(rest.with_marks(SOURCE, {5: wanted, 6: other}), marked)
    assert (marked["clipped"](1, 2), marks) == (2, [5])
