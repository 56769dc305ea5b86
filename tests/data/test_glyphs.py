"""Glyphs: what the brush paints, who draws what, and how hard an exam they are."""

import dataclasses
import time

import numpy as np
import pytest

from imaml_ref.data import (
    Episodes,
    glyph_alphabets,
    nearest_neighbour,
    open_dataset,
    write_dataset,
)
from imaml_ref.data.glyphs import HALF, SIZE, Hand, displace, move, paint
from imaml_ref.data.strokes import KINDS, POINTS, affine, new_character, new_style

STILL = Hand(
    **{f.name: 0.0 for f in dataclasses.fields(Hand) if isinstance(f.default, float)},
    pen=(1.0, 1.0),
    pressure=(1.0, 1.0),
)


def few(seed=3, **changes):
    parts = {"num_alphabets": 5, "num_characters": 3, "num_drawings": 4} | changes
    return glyph_alphabets(seed, **parts)


@pytest.fixture(scope="module")
def usual():
    started = time.process_time()
    images = glyph_alphabets()
    return images, time.process_time() - started


def test_the_brush_is_the_sum_over_points():
    """Equation (1), one pixel and one point at a time."""
    rng = np.random.default_rng(0)
    strokes = rng.uniform(5, 22, (2, 3, 7, 2))
    pen = np.array([0.6, 0.9])[:, None, None]
    expected = np.zeros((2, SIZE, SIZE))
    for d in range(2):
        s = pen[d, 0, 0]
        for stroke in strokes[d]:
            for k in range(7):
                before, after = stroke[max(k - 1, 0)], stroke[min(k + 1, 6)]
                w = np.hypot(*(after - before)) / (2 if 0 < k < 6 else 1)
                x, y = stroke[k]
                for i in range(SIZE):
                    for j in range(SIZE):
                        far = (i - y) ** 2 + (j - x) ** 2
                        a = w * np.exp(-far / (2 * s**2)) / (s * np.sqrt(2 * np.pi))
                        expected[d, i, j] += a
    got = paint(strokes, pen)
    np.testing.assert_allclose(got, np.minimum(1, 1.6 * expected), atol=1e-5)
    assert 0.01 < (got == 1).mean() < 0.99


@pytest.mark.parametrize("points", [64, 90])
def test_beside_a_line_the_paint_is_a_gaussian_of_the_distance(points):
    line = np.stack([np.linspace(3, 24, points), np.full(points, 13.3)], axis=-1)
    across = paint(line[None, None], np.full((1, 1, 1), 1.5))[0, :, 14] / 1.6
    expected = np.exp(-((np.arange(SIZE) - 13.3) ** 2) / (2 * 1.5**2))
    low = expected < 0.6  # where it does not saturate
    np.testing.assert_allclose(across[low], expected[low], atol=2e-3)


def test_affine_scales_then_turns():
    angle, width, height = 0.4, 2.0, 3.0
    scaling = np.diag([width, height])
    turning = np.exp(1j * angle) * np.array([1, 1j])  # images of the two axes
    expected = scaling @ np.stack([turning.real, turning.imag], axis=-1)
    np.testing.assert_allclose(affine(angle, width, height), expected, rtol=1e-15)


def kind_of(stroke):
    """Return which kind a stroke is, turned, scaled and shifted, by least squares.

    A dot is a small loop, and is taken for one.
    """
    residuals = []
    for kind in KINDS:
        columns = np.stack([kind @ [1, 1j], np.ones(POINTS)], axis=-1)
        z = stroke @ [1, 1j]
        residuals.append(np.abs(columns @ np.linalg.lstsq(columns, z)[0] - z).max())
    assert min(residuals) < 1e-12 < sorted(residuals)[2]
    return int(np.argmax(np.array(residuals) < 1e-12))


def test_a_character_fills_its_box_with_strokes_of_different_kinds():
    rng = np.random.default_rng(0)
    loop = 2
    for _ in range(30):
        style = new_style(rng)
        strokes = new_character(rng, style)
        assert style.taste.sum() == pytest.approx(1)
        assert strokes.shape[1:] == (POINTS, 2)
        assert style.fewest <= len(strokes) <= style.fewest + 1 <= 4
        kinds = [k for k in map(kind_of, strokes) if k != loop]
        assert len(set(kinds)) == len(kinds) >= len(strokes) - 2
        low, high = strokes.min((0, 1)), strokes.max((0, 1))
        np.testing.assert_allclose(low + high, 0, atol=1e-12)
        assert (high - low).max() == pytest.approx(2)
    assert KINDS.shape == (10, POINTS, 2)
    assert (np.abs(KINDS) <= 1).all()


def test_a_still_hand_draws_the_character_itself():
    rng = np.random.default_rng(1)
    strokes = new_character(rng, new_style(rng))
    drawn = move(rng, displace(rng, strokes, 2, STILL), STILL)
    for one in drawn:
        np.testing.assert_allclose(one, HALF * strokes + 13.5, atol=1e-12)
    images = few(hand=STILL).images
    assert (images == images[:, :1]).all()


MOVES = [f.name for f in dataclasses.fields(Hand)]


@pytest.mark.parametrize("name", MOVES)
def test_each_trait_of_a_hand_changes_the_drawings(name):
    value = (0.5, 1.0) if name in {"pen", "pressure"} else 0.2
    images = few(hand=dataclasses.replace(STILL, **{name: value})).images
    for of_class in images:
        assert len({one.tobytes() for one in of_class}) == len(of_class)


def test_how_far_drawings_stray_is_what_the_hand_says():
    """The mean point of a drawing moves by the shift, its spread by the scale."""
    rng = np.random.default_rng(2)
    strokes = new_character(rng, new_style(rng))
    centred = strokes - strokes.mean((0, 1))
    hand = dataclasses.replace(STILL, shift=1.5, scale=0.2)
    drawn = move(rng, displace(rng, centred, 4000, STILL), hand)
    np.testing.assert_allclose(drawn.mean((1, 2)).std(0), 1.5, rtol=0.05)
    spread = np.log(drawn.std((1, 2)) / (HALF * centred.std((0, 1))))
    np.testing.assert_allclose(spread.std(0), 0.2, rtol=0.05)
    assert abs(np.corrcoef(spread.T)[0, 1]) < 0.1
    hand = dataclasses.replace(STILL, turn=0.3)
    drawn = move(rng, displace(rng, centred, 4000, STILL), hand) - 13.5
    first, start = drawn[:, 0, 0] @ [1, 1j], centred[0, 0] @ [1, 1j]
    assert np.angle(first / start).std() == pytest.approx(0.3, rel=0.05)


def test_everything_follows_from_the_seed():
    assert few().digest == few().digest
    assert few(seed=4).digest != few().digest


def test_alphabets_are_split_whole(usual):
    data, _ = usual
    assert data.images.shape == (600, 20, 28, 28, 1)
    of_class = [name.partition("/")[0] for name in data.class_names]
    alphabets = [
        {of_class[c] for c in data.classes("alphabets", split)}
        for split in ("train", "val", "test")
    ]
    assert [len(a) for a in alphabets] == [39, 6, 15]
    assert len(set.union(*alphabets)) == 60
    sizes = [len(c) for c in few(num_alphabets=3).splits["alphabets"].values()]
    assert sizes == [3, 3, 3]
    with pytest.raises(ValueError, match=r"at least 3 alphabets are needed, got 2"):
        few(num_alphabets=2)


def test_paper_is_white_and_ink_dark(usual):
    data, _ = usual
    assert np.median(data.images) == 255
    assert data.images.min() == 0
    assert (data.images == 255).mean() > 0.6
    darkest = data.images.min((2, 3, 4))
    assert darkest.max() <= 255 * 0.75  # every drawing can be seen
    edge = data.images[:, :, [0, -1]].astype(float)
    assert (255 - edge).sum() < 0.02 * (255.0 - data.images).sum()


def test_they_are_a_data_set_like_a_packed_one(tmp_path):
    data = few()
    write_dataset(tmp_path / "glyphs.h5", data)
    back = open_dataset(tmp_path / "glyphs.h5")
    assert back.digest == data.digest
    one, other = (
        Episodes(d, 2, 1, 2).sample("test", seed=0, step=0, num_tasks=3)
        for d in (data, back)
    )
    np.testing.assert_array_equal(one.query_x, other.query_x)


def test_pixels_do_not_solve_them(usual):
    """Nearest neighbour in pixels, 5-way 1-shot on test alphabets: well below 70 %."""
    accuracy = nearest_neighbour(Episodes(usual[0], 5, 1, 5), seed=1, num_tasks=1000)
    assert 0.5 < accuracy.mean() < 0.65


def test_drawing_is_quick(usual):
    _, seconds = usual
    assert seconds < 15  # about 2 on an idle machine
