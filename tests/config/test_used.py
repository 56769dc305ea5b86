"""A key that has no effect on a run is refused; a preset's own value never is."""

from itertools import product

import pytest

import imaml_ref as ir
from imaml_ref.cli import main
from imaml_ref.config import FIELDS, check_used, make_config, preset_value
from imaml_ref.config.presets import PRESETS
from imaml_ref.runs.experiment import make_algorithm, make_inner, make_net, make_source
from tests.helpers.tiny_runs import TINY, as_flags

CHOICES = {name: FIELDS[name].metadata["choices"] for name in ("algorithm", "inner")}
OTHER = {  # a value that no preset has
    "ways": 3,
    "split_scheme": "mine",
    "rotate": "none",
    "invert": True,
    "curvature": "hessian",
    "negative_curvature": "truncate",
    "cg_steps": 11,
    "lam": 0.7,
    "inner_lr": 0.3,
}


def is_refused(config):
    try:
        check_used(config)
    except ValueError:
        return True
    return False


LOSS = ir.TaskLoss(ir.architectures.linear((2,), 2), ir.SquaredError())


def built(config):
    """What a run computes with, or None where the parts do not fit together."""
    try:
        return make_inner(config), make_algorithm(config, loss=LOSS)
    except ValueError:
        return None


@pytest.mark.parametrize(
    "name", ["curvature", "negative_curvature", "cg_steps", "lam", "inner_lr"]
)
@pytest.mark.parametrize("proximal", [False, True])
def test_a_key_is_refused_exactly_where_it_changes_nothing(name, proximal):
    """The witness: build the algorithm with two values of the key and compare."""
    for algorithm, inner in product(*CHOICES.values()):
        keys = {"algorithm": algorithm, "inner": inner}
        if proximal and algorithm not in ("imaml", "released-imaml"):
            keys["proximal"] = True
        usual, other = make_config(keys), make_config(keys, {name: OTHER[name]})
        if built(usual) is not None:
            assert is_refused(other) == (built(usual) == built(other)), keys
            assert not is_refused(usual)


@pytest.mark.parametrize("algorithm", CHOICES["algorithm"])
def test_proximal_is_refused_where_the_term_is_there_always(algorithm):
    usual = make_config({"algorithm": algorithm})
    other = make_config({"algorithm": algorithm, "proximal": True})
    assert is_refused(other) == (built(usual) == built(other))


@pytest.mark.parametrize("net", FIELDS["net"].metadata["choices"])
def test_a_width_is_refused_where_the_network_has_none(net):
    usual, other = (make_config({"net": net}, k) for k in ({}, {"num-filters": 7}))
    shape = (28, 28, 1)
    sizes = [make_net(c, shape, 5).layout.size for c in (usual, other)]
    assert is_refused(other) == (sizes[0] == sizes[1])


@pytest.mark.parametrize("norm", ["none", "task"])
@pytest.mark.parametrize("data", ["glyphs", "sinusoid"])
@pytest.mark.parametrize("net", FIELDS["net"].metadata["choices"])
def test_a_normalisation_is_refused_where_nothing_is_normalised(net, data, norm):
    keys = {"net": net, "data": data}
    usual, other = (make_config(keys, k) for k in ({}, {"norm": norm}))
    shape = (1,) if data == "sinusoid" else (28, 28, 1)
    try:
        layouts = [make_net(c, shape, 5).layout for c in (usual, other)]
    except ValueError:  # curves are no images
        return
    assert is_refused(other) == (layouts[0] == layouts[1])
    assert not is_refused(usual)


def test_the_normalisations_are_those_of_the_architectures():
    assert FIELDS["norm"].metadata["choices"] == tuple(ir.architectures.NORMS)


@pytest.mark.parametrize("name", ["ways", "split_scheme", "rotate", "invert"])
def test_what_images_have_is_refused_for_sinusoids(name):
    assert not is_refused(make_config({name: OTHER[name]}))
    config = make_config({"data": "sinusoid", name: OTHER[name]})
    assert make_source(config) == make_source(make_config({"data": "sinusoid"}))
    assert is_refused(config)


@pytest.mark.parametrize("data", ["glyphs", "sinusoid", "a.h5"])
@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_never_refused(preset, data):
    for algorithm, inner in product(*CHOICES.values()):
        keys = {"preset": preset, "data": data}
        check_used(make_config(keys))
        check_used(make_config(keys, {"algorithm": algorithm, "inner": inner}))
        for name in FIELDS:
            value = preset_value(name, preset, data)
            assert value == getattr(make_config(keys), name)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("--inner newton-cg --inner-lr 3", "inner-lr 3.0 has no effect with inner"),
        ("--ways 3", "ways 3 has no effect with data sinusoid, only"),
        ("--algorithm fomaml --curvature hessian", "curvature hessian has no effect"),
    ],
)
def test_flags_without_effect_are_named(tmp_path, monkeypatch, capsys, flags, expected):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--data", "sinusoid", *flags.split()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
    assert "leave it out" in line
    assert not any(tmp_path.iterdir())


@pytest.mark.usefixtures("without_figures")
def test_the_configuration_that_a_run_wrote_is_taken_again(tmp_path):
    keys = {n: v for n, v in TINY.items() if n not in ("ways", "net", "lam")}
    keys |= {"data": "sinusoid", "algorithm": "fomaml", "inner": "lbfgs"}
    keys |= {"meta-steps": 1, "validation-interval": 0}
    del keys["cg-steps"]
    flags = as_flags(keys | {"out": tmp_path / "a"})
    assert main(["train", *flags]) == 0
    config = str(tmp_path / "a" / "config.toml")
    assert main(["train", "--config", config, "--out", str(tmp_path / "b")]) == 0
