"""Examples of a size share the arrays of their sweeps; nobody sees it."""

import pickle

import numpy as np
from numpy.testing import assert_array_equal

from imaml_ref.checks import digits
from imaml_ref.kernels.examples import KEPT
from imaml_ref.networks.linearization import Linearization
from tests.helpers.fused_points import elsewhere, named, needs_fused, values
from tests.machines.kernel_machine import FORMULAS, by_kernels
from tests.machines.kernel_points import spoken

pytestmark = needs_fused


def test_one_after_the_other_goes_back_to_its_own_point():
    at, other = named(), named(seed=5)

    def in_turn():
        first, second = at.linearize(), other.linearize()
        third = at.loss.linearize(elsewhere(at), at.x, at.y)
        for _ in range(2):
            found = [
                (p.linearize() if lin is None else lin, p.v)
                for p, lin in ((at, first), (other, second), (at, third))
            ]
            yield from ((lin.hvp(v), lin.gnvp(v), lin.hvp(v)) for lin, v in found)

    products = by_kernels(lambda: list(in_turn()))
    alone = by_kernels(lambda: [values(p.linearize(), p.v) for p in (at, other)])
    for k in (0, 3):
        for said, want in zip(products[k : k + 2], alone, strict=True):
            for got, what in zip(said, ("hvp", "gnvp", "hvp"), strict=True):
                assert_array_equal(got, want[what])
    assert_array_equal(products[2], products[5])


def test_what_is_returned_does_not_change_any_more():
    at, other = named(), named(seed=5)

    def returned():
        lin = at.linearize()
        said = values(lin, at.v)
        kept = {what: array.copy() for what, array in said.items()}
        spoken(other)
        lin.hvp(2 * at.v)
        return said, kept

    said, kept = by_kernels(returned)
    for what, array in kept.items():
        assert_array_equal(said[what], array)


def test_products_with_both_curvatures_may_be_mixed():
    at = named()

    def mixed():
        lin = at.linearize()
        return [lin.hvp(at.v), lin.gnvp(at.v), lin.gnvp(at.v), lin.hvp(at.v)]

    H, G, G_again, H_again = by_kernels(mixed)
    assert_array_equal(H, H_again)
    assert_array_equal(G, G_again)


def test_an_array_of_any_memory_layout_will_do():
    at = named()
    by_kernels(at.linearize)
    flipped = at.x[:, :, ::-1, ::-1]
    want = by_kernels(lambda: at.loss.linearize(at.phi, flipped.copy(), at.y))
    phi, wide = np.asfortranarray(at.phi), np.repeat(at.v, 2, axis=1)[:, ::2]
    got = by_kernels(lambda: at.loss.linearize(phi, flipped, at.y))
    assert_array_equal(got.grad, want.grad)
    hvp = by_kernels(lambda: (got.hvp(wide), want.hvp(at.v)))
    assert_array_equal(*hvp)


def test_one_phi_for_all_tasks_may_be_a_view():
    at = named()
    phi = np.broadcast_to(at.phi[0], at.phi.shape)
    view = by_kernels(lambda: at.loss.linearize(phi, at.x, at.y))
    copy = by_kernels(lambda: at.loss.linearize(phi.copy(), at.x, at.y))
    assert_array_equal(view.grad, copy.grad)


def test_what_does_not_fit_takes_the_plain_path():
    at, short = named(), named().v.astype(np.float32)

    def asked():
        examples = at.loss.on(at.phi[0], at.x, at.y)
        lin, gradient = examples.linearize(at.phi), examples.gradient
        pairs = [(f(short), f(short.astype(float))) for f in (lin.hvp, lin.gnvp)]
        moved = gradient(at.phi + 1e-30j * at.v).imag / 1e-30
        return [*pairs, (moved, lin.hvp(at.v))]

    for got, want in by_kernels(asked):
        assert digits(got, want) > 11


def test_a_loss_that_has_been_used_can_be_pickled():
    at = named()

    def copied():
        lin = at.linearize()
        loss = pickle.loads(pickle.dumps(at.loss))
        assert_array_equal(loss.linearize(at.phi, at.x, at.y).grad, lin.grad)

    by_kernels(copied)


def test_arrays_of_a_few_sizes_are_kept():
    at = named()

    def many():
        for n in range(1, KEPT + 3):
            at.loss.linearize(at.phi, at.x.repeat(n, 1), at.y.repeat(n, 1))
        return at.loss._device

    network = by_kernels(many)
    assert len(network._kept) == KEPT
    shape = at.x.shape
    newest, machine, *_ = next(reversed(network._kept))
    assert newest == (shape[0], shape[1] * (KEPT + 2), *shape[2:])
    assert machine is FORMULAS


def test_complex_parameters_take_the_plain_path():
    at = named()
    lin = by_kernels(lambda: at.loss.linearize(at.phi + 1e-30j * at.v, at.x, at.y))
    assert type(lin) is Linearization
    assert digits(lin.grad.imag / 1e-30, by_kernels(lambda: spoken(at))["hvp"]) > 11
