"""The configuration: what wins, what is refused, and TOML there and back."""

import tomllib
from dataclasses import asdict, fields

import numpy as np
import pytest

from imaml_ref.config import Config, dumps, loads, make_config, read_config

PAPER = {  # Rajeswaran et al. 2019, section 4, and the released code's optimiser
    "lam": 2.0,
    "inner_steps": 16,
    "inner_lr": 0.1,
    "cg_steps": 5,
    "meta_batch": 32,
    "meta_lr": 1e-3,
    "adam_eps": 1e-3,
    "curvature": "hessian",
    "algorithm": "imaml",
    "invert": False,
}


def test_the_defaults_and_the_paper_preset_are_the_paper():
    for config in (Config(), make_config(preset="paper")):
        assert PAPER.items() <= asdict(config).items()


def test_later_sources_win():
    file, flags = {"lam": 3, "meta-batch": 7}, {"meta_batch": 9}
    config = make_config(file, flags)
    assert config.preset == "reliable"
    assert config.curvature == "gauss-newton"  # the preset over the default
    assert config.lam == 3.0  # the file over the preset
    assert isinstance(config.lam, float)
    assert config.meta_batch == 9  # a flag over the file


def test_a_file_may_name_the_preset_and_a_flag_another():
    assert make_config({"preset": "paper"}).lam == 2.0
    flagged = make_config({"preset": "paper"}, {"preset": "released"})
    assert flagged.algorithm == "released-imaml"


def test_the_reliable_preset_fits_the_data():
    assert make_config({"data": "sinusoid"}).shots == 10
    assert make_config({"data": "sinusoid", "shots": 3}).shots == 3
    assert make_config({"data": "sinusoid"}, preset="paper").shots == 1


@pytest.mark.parametrize(
    ("key", "near"),
    [("metalr", "meta-lr"), ("lambda", "lam"), ("inner_step", "inner-steps")],
)
def test_an_unknown_key_is_refused_with_the_nearest_one(key, near):
    expected = f"unknown configuration key '{key}'; did you mean '{near}'"
    with pytest.raises(ValueError, match=expected):
        make_config({key: 1})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"lam": 0.0}, "lam must be above 0, got 0.0"),
        ({"lam": -1}, "lam must be above 0, got -1.0"),
        ({"lam": float("nan")}, "lam must be a finite number, got nan"),
        ({"lam": True}, "lam must be a finite number, got True"),
        ({"ways": 1}, "ways must be at least 2, got 1"),
        ({"ways": 5.0}, "ways must be an integer, got 5.0"),
        ({"meta-lr": 0}, "meta-lr must be above 0, got 0.0"),
        ({"invert": 1}, "invert must be true or false, got 1"),
        ({"seed": 2**64}, "seed must be at most 18446744073709551615, got 184467"),
        ({"lam": 1j}, "lam must be a finite number, got 1j"),
        ({"ways": np.float64(5)}, "ways must be an integer, got 5.0"),
        ({"ways": np.array([5])}, r"ways must be an integer, got array\(\[5\]\)"),
        ({"data": 3}, "data must be a text, got 3"),
        ({"net": "resnet"}, "net must be one of auto, omniglot-cnn, .* got 'resnet'"),
        ({"preset": "best"}, "preset must be one of paper, .* got 'best'"),
    ],
)
def test_a_wrong_value_is_refused_by_name(given, expected):
    with pytest.raises(ValueError, match=expected):
        make_config(given)


def test_toml_there_and_back_is_the_same_configuration():
    config = make_config(
        {"data": 'a "quoted" \\ päth.h5', "lam": 1 / 3, "adam-eps": 1e-8, "seed": 2**40}
    )
    text = dumps(config)
    assert set(tomllib.loads(text)) == {
        f.name.replace("_", "-") for f in fields(config)
    }
    assert make_config(loads(text)) == config


def test_a_file_gives_only_the_keys_that_it_names(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("lam = 1\ncg_steps = 7\n")
    assert read_config(path) == {"lam": 1, "cg_steps": 7}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"lam = ", r"c\.toml is not valid TOML"),
        (b"\xff\xfe", r"c\.toml is not valid TOML: it is not UTF-8"),
        (b"lamb = 1", r"'lamb' in .*c\.toml; did you mean 'lam'"),
        (b"[train]\nlam = 1", r"unknown configuration key 'train' in .*c\.toml"),
        (b"lam = 0", r"lam must be above 0"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path, text, expected):
    path = tmp_path / "c.toml"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=expected) as caught:
        read_config(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no such configuration file: .*c\.toml"
    ):
        read_config(tmp_path / "c.toml")
