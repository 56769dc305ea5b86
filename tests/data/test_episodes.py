"""Episodes: which images are drawn, how they are turned and scaled, and when."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from imaml_ref.data import Episodes, ImageSet
from imaml_ref.data.draws import task_generator

CLASSES, DRAWINGS, SIDE = 30, 7, 4
MARK = 200
WAYS, SHOTS, QUERIES = 5, 2, 3


def labelled_images():
    """Return images that say in their pixels which class and drawing they are.

    The corner (0, 0) is marked, the class stands in (0, 1), the drawing in (0, 2) and
    both channels differ.
    """
    x = np.zeros((CLASSES, DRAWINGS, SIDE, SIDE, 2), np.uint8)
    x[..., 0, 0, 0] = MARK
    x[..., 0, 1, 0] = np.arange(CLASSES)[:, None]
    x[..., 0, 2, 0] = np.arange(DRAWINGS) + 100
    x[..., 1] = 1
    return x


def image_set(**changes):
    splits = {
        "train": np.arange(0, 30, 2),
        "val": np.array([1, 3, 5, 7, 9]),
        "test": np.array([29, 11, 13, 15, 17, 19, 21]),
    }
    parts = {
        "images": labelled_images(),
        "class_names": tuple(f"class{c}" for c in range(CLASSES)),
        "splits": {"odd": splits},
        "source": "numbers",
        "resize_filter": "none",
        "polarity": "ink 255",
    }
    return ImageSet(**parts | changes)


DATA = image_set()


def episodes(**changes):
    parts = {"num_ways": WAYS, "num_shots": SHOTS, "num_queries": QUERIES}
    return Episodes(**{"data": DATA} | parts | changes)


def read(image):
    """Return the class, the drawing and the quarter turns of a sampled image."""
    pixels = np.rint(image * 255).astype(int)
    assert (pixels[..., 1] == 1).all()
    for turns in range(4):
        upright = np.rot90(pixels, -turns)[..., 0]
        if upright[0, 0] == MARK:
            return upright[0, 1], upright[0, 2] - 100, turns
    raise AssertionError("no corner is marked")


def read_task(tasks, t):
    """Return {label: set of (class, turns)} and the drawings of support and query."""
    classes = {}
    drawings = []
    for x, y in (
        (tasks.support_x[t], tasks.support_y[t]),
        (tasks.query_x[t], tasks.query_y[t]),
    ):
        drawings.append([])
        for image, label in zip(x, y, strict=True):
            c, d, turns = read(image)
            classes.setdefault(int(label), set()).add((c, turns))
            drawings[-1].append((c, d))
    return classes, *drawings


def draw(source=None, split="train", **changes):
    of_draw = {"seed": 3, "step": 4, "num_tasks": 40} | changes
    return (source or episodes()).sample(split, **of_draw)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_task_has_its_ways_shots_and_queries_of_its_split(split):
    tasks = draw(split=split)
    allowed = set(DATA.splits["odd"][split])
    for t in range(len(tasks)):
        classes, support, query = read_task(tasks, t)
        assert sorted(classes) == list(range(WAYS))
        assert all(len(found) == 1 for found in classes.values())
        bases = [c for found in classes.values() for c, _ in found]
        assert len(set(bases)) == WAYS  # never two rotations of one class
        assert set(bases) <= allowed
        assert Counter(c for c, _ in support) == dict.fromkeys(bases, SHOTS)
        assert Counter(c for c, _ in query) == dict.fromkeys(bases, QUERIES)
        assert len({*support, *query}) == WAYS * (SHOTS + QUERIES)


def test_shapes_and_types():
    tasks = draw(num_tasks=6, dtype=np.float64)
    assert tasks.support_x.shape == (6, WAYS * SHOTS, SIDE, SIDE, 2)
    assert tasks.query_x.shape == (6, WAYS * QUERIES, SIDE, SIDE, 2)
    assert tasks.support_x.dtype == tasks.query_x.dtype == np.float64
    assert tasks.support_y.dtype == tasks.query_y.dtype == np.int64
    assert draw(num_tasks=1).support_x.dtype == np.float32


def test_every_class_angle_drawing_and_label_turns_up():
    tasks = draw(num_tasks=400)
    seen, drawings, labels = Counter(), Counter(), Counter()
    for t in range(len(tasks)):
        classes, support, _ = read_task(tasks, t)
        for label, found in classes.items():
            seen.update(found)
            labels[label, next(iter(found))[0]] += 1
        drawings.update(d for _, d in support)
    assert len(seen) == 4 * len(DATA.splits["odd"]["train"])
    assert max(seen.values()) < 3 * min(seen.values())
    assert len(labels) == WAYS * len(DATA.splits["odd"]["train"])
    assert len(drawings) == DRAWINGS
    assert max(drawings.values()) < 1.3 * min(drawings.values())


ROTATED = {"none": set(), "train": {"train"}, "all": {"train", "val", "test"}}


@pytest.mark.parametrize(("rotate", "rotated"), ROTATED.items())
def test_only_the_named_splits_are_turned(rotate, rotated):
    source = episodes(rotate=rotate)
    for split in ("train", "val", "test"):
        tasks = draw(source, split)
        turns = {read(image)[2] for x in tasks.query_x for image in x}
        assert turns == ({0, 1, 2, 3} if split in rotated else {0})


def test_a_task_depends_on_nothing_but_split_seed_step_and_number():
    whole = draw(num_tasks=9)
    parts = [draw(num_tasks=n, first=first) for first, n in ((0, 4), (4, 1), (5, 4))]
    for field in dataclasses.fields(whole):
        parts_of = np.concatenate([getattr(p, field.name) for p in parts])
        np.testing.assert_array_equal(parts_of, getattr(whole, field.name))


OTHERS = ({"seed": 4}, {"step": 5}, {"first": 1}, {"split": "val"}, {"seed": 3 + 2**32})


@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_another_split_seed_step_or_number_is_another_task(other):
    # The same classes in all splits, so that only the generator can differ.
    same = np.arange(CLASSES)
    source = episodes(rotate="none")
    object.__setattr__(source, "data", image_set())
    source.data.splits["odd"].update(train=same, val=same, test=same)
    one, another = draw(source, num_tasks=1), draw(source, **{"num_tasks": 1} | other)
    assert not np.array_equal(one.support_x, another.support_x)


def test_generators_of_tasks_are_independent():
    """First draws over seeds, steps and tasks are uniform and uncorrelated."""
    u = np.array(
        [
            task_generator("train", seed=s, step=k, task=t).random()
            for s in range(10)
            for k in range(10)
            for t in range(10)
        ]
    )
    assert len(np.unique(u)) == len(u)
    assert abs(u.mean() - 0.5) < 4 / np.sqrt(12 * len(u))
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 4 / np.sqrt(len(u))


def test_invert_is_one_minus():
    upright, inverted = draw(), draw(episodes(invert=True))
    np.testing.assert_allclose(inverted.query_x, 1 - upright.query_x, atol=1e-7)
    assert draw(dtype=np.float64).support_x.max() == MARK / 255


def test_describe_names_what_is_drawn_from():
    record = episodes(invert=True).describe()
    assert record["scheme"] == "odd"
    assert record["digest"] == DATA.digest
    assert [record[f"{s}_classes"] for s in ("train", "val", "test")] == [15, 5, 7]
    assert (record["num_ways"], record["invert"], record["rotate"]) == (
        5,
        True,
        "train",
    )


def test_the_protocol():
    source = episodes()
    assert source.input_shape == (SIDE, SIDE, 2)
    assert source.num_outputs == WAYS
    assert source.digest == DATA.digest
    assert source.task == "classification"


WIDE = image_set(images=np.zeros((CLASSES, DRAWINGS, 4, 5, 1), np.uint8))
WRONG = {
    r"6 ways need as many classes, split odd/val has 5": {"num_ways": 6},
    r"4 shots \+ 4 queries need 8 drawings of a class, each class has 7": {
        "num_shots": 4,
        "num_queries": 4,
    },
    r"num_queries must be an integer >= 1, got 0": {"num_queries": 0},
    r"unknown split scheme 'even'; there is odd": {"split_scheme": "even"},
    r"rotate must be one of 'none', 'train', 'all', got 'val'": {"rotate": "val"},
    r"images of 4×5 cannot be turned by 90°": {"data": WIDE},
}


@pytest.mark.parametrize(("expected", "changes"), WRONG.items())
def test_what_cannot_be_is_refused_with_the_numbers(expected, changes):
    with pytest.raises(ValueError, match=expected) as caught:
        episodes(**changes)
    assert "\n" not in str(caught.value)


def test_all_there_is_can_be_asked_for():
    source = episodes(num_ways=5, num_shots=3, num_queries=4)
    classes, support, query = read_task(draw(source, "val"), 0)
    assert {c for found in classes.values() for c, _ in found} == {1, 3, 5, 7, 9}
    assert len({*support, *query}) == 5 * DRAWINGS
    assert draw(episodes(data=WIDE, rotate="none")).support_x.shape[2:] == (4, 5, 1)


def test_a_wrong_draw_is_refused():
    with pytest.raises(ValueError, match=r"unknown split 'dev'; expected train, val"):
        draw(split="dev")
    with pytest.raises(ValueError, match=r"num_tasks must be an integer >= 1, got 0"):
        draw(num_tasks=0)
    with pytest.raises(ValueError, match=r"seed must be an integer >= 0, got -1"):
        draw(seed=-1)
    with pytest.raises(TypeError, match=r"dtype must be a floating type"):
        draw(dtype=np.uint8)
