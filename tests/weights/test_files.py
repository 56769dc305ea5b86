"""Files of θ: to the bit, whole or absent, and refused in one line if damaged."""

import io
import json
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.compute import to_device
from imaml_ref.files import BadFile
from tests.machines.double import device_double

NET = ir.architectures.omniglot_cnn(3, input_shape=(16, 20, 1), num_filters=2)
OTHER = ir.architectures.omniglot_cnn(4, input_shape=(16, 20, 1), num_filters=2)
KINDS = [".npz", ".safetensors"]


@pytest.fixture(params=KINDS)
def path(request, tmp_path):
    if request.param == ".safetensors":
        pytest.importorskip("safetensors")
    return tmp_path / f"theta{request.param}"


def theta(net=NET, dtype=np.float32):
    return net.init(np.random.default_rng(0), dtype=dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_theta_comes_back_to_the_bit(path, dtype):
    want = theta(dtype=dtype)
    want[:4] = -0.0, np.nan, np.inf, np.finfo(dtype).smallest_subnormal
    ir.weights.save_weights(path, NET, want)
    found = ir.weights.load_weights(path, NET)
    assert found.dtype == dtype
    assert found.tobytes() == want.tobytes()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_theta_on_a_device_goes_out_as_it_is(path):
    with device_double():
        on_device = to_device(theta())
        ir.weights.save_weights(path, NET, on_device)
        state = ir.weights.to_torch_state_dict(NET, on_device)
    assert_array_equal(ir.weights.load_weights(path, NET), theta(), strict=True)
    back, _ = ir.weights.from_torch_state_dict(NET, state)
    assert_array_equal(back, theta(), strict=True)


def test_another_program_finds_parameters_by_name(path):
    ir.weights.save_weights(path, NET, theta())
    if path.suffix == ".npz":
        found = np.load(path)
    else:
        from safetensors import safe_open

        with safe_open(path, "np") as file:
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert sorted(found) == sorted(NET.layout.names)
    assert_array_equal(found["conv2.kernel"], NET.unpack(theta())["conv2"]["kernel"])


def test_weights_of_another_network_are_refused_by_name(path):
    ir.weights.save_weights(path, OTHER, theta(OTHER))
    with pytest.raises(
        BadFile, match=r"theta.* has no weights of this network"
    ) as caught:
        ir.weights.load_weights(path, NET)
    for name in ("head.kernel", "head.bias"):
        assert f"{name} expects shape" in str(caught.value)


def test_a_file_with_tensors_of_pytorch_says_how_to_take_them(path):
    state = ir.weights.to_torch_state_dict(NET, theta())
    if path.suffix == ".npz":
        np.savez(path, **state)
    else:
        from safetensors.numpy import save_file

        save_file(state, path)
    with pytest.raises(
        BadFile, match=r"conv1.weight is unknown.*from_torch_state_dict"
    ):
        ir.weights.load_weights(path, NET)


def refusal(path):
    """Return why a file is refused, or nothing."""
    try:
        assert ir.weights.load_weights(path, NET).shape == (NET.layout.size,)
    except BadFile as error:
        return str(error)
    return ""


def test_a_file_that_is_cut_anywhere_is_refused_in_one_line(path):
    ir.weights.save_weights(path, NET, theta())
    whole = path.read_bytes()
    for length in [*range(0, len(whole) - 1, 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        said = refusal(path)
        assert path.name in said
        assert "\n" not in said


def test_a_file_with_a_changed_byte_is_refused_or_holds_other_numbers(path):
    """Checksums are npz's; of safetensors the header is looked at."""
    ir.weights.save_weights(path, NET, theta())
    whole = path.read_bytes()
    said = []
    for place in range(0, len(whole), 61):
        byte = bytes([whole[place] ^ 0x41])
        path.write_bytes(whole[:place] + byte + whole[place + 1 :])
        said.append(refusal(path))
    assert said[0]
    assert not any("\n" in line for line in said)


def test_what_fails_leaves_the_old_file_as_it_was(path, monkeypatch):
    ir.weights.save_weights(path, NET, theta())
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"θ expects shape \(\d+,\), got"):
        ir.weights.save_weights(path, NET, theta()[1:])
    with pytest.raises(TypeError, match="θ must be a NumPy or CuPy array, got list"):
        ir.weights.save_weights(path, NET, theta().tolist())

    def full(*given, **_):
        given[path.suffix == ".safetensors"].write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    if path.suffix == ".safetensors":
        monkeypatch.setattr("safetensors.numpy.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        ir.weights.save_weights(path, NET, theta() + 1)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["theta", "theta.pt", "theta.npy", "theta.NPZ"])
def test_a_file_of_another_kind_is_refused(tmp_path, name):
    message = r"must end in .npz or .safetensors, got"
    with pytest.raises(ValueError, match=message):
        ir.weights.save_weights(tmp_path / name, NET, theta())
    with pytest.raises(ValueError, match=message):
        ir.weights.load_weights(tmp_path / name, NET)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_there_is_told_from_one_that_is_bad(path):
    with pytest.raises(FileNotFoundError, match=path.name):
        ir.weights.load_weights(path, NET)


def test_objects_are_never_unpickled(tmp_path):
    path, named = tmp_path / "theta.npz", NET.layout.unpack(theta())
    np.savez(path, **named | {"head.bias": np.array([print] * 3)})
    with pytest.raises(BadFile, match="Object arrays cannot be loaded"):
        ir.weights.load_weights(path, NET)


def test_an_npz_file_with_something_else_is_refused(tmp_path):
    path = tmp_path / "theta.npz"
    ir.weights.save_weights(path, NET, theta())
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("README", "not an array")
    with pytest.raises(
        BadFile, match="README must be a NumPy or CuPy array, got bytes"
    ):
        ir.weights.load_weights(path, NET)
    buffer = io.BytesIO()
    np.save(buffer, theta())
    path.write_bytes(buffer.getvalue())
    with pytest.raises(BadFile, match=r"theta.npz has no weights of this network"):
        ir.weights.load_weights(path, NET)


LINEAR = ir.architectures.linear((2,), 3)  # head.kernel (2, 3), head.bias (3,)


def written(path, **changes):
    """Write a safetensors file by hand: a length, a header, and nine numbers."""
    header = {
        "head.bias": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]},
        "head.kernel": {"dtype": "F32", "shape": [2, 3], "data_offsets": [12, 36]},
    }
    for name, change in changes.items():
        key = (
            name.replace("_", ".", 1) if name in ("head_bias", "head_kernel") else name
        )
        header[key] = header.get(key, {}) | change
    text = json.dumps(header).encode()
    numbers = np.arange(9, dtype="<f4").tobytes()
    path.write_bytes(len(text).to_bytes(8, "little") + text + numbers)


def test_a_file_made_by_hand_is_read(tmp_path):
    pytest.importorskip("safetensors")
    written(tmp_path / "a.safetensors", __metadata__={"format": "np"})
    found = ir.weights.load_weights(tmp_path / "a.safetensors", LINEAR)
    assert_array_equal(found, np.r_[3:9, 0:3].astype(np.float32), strict=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"head_bias": {"data_offsets": [24, 36]}},
        {"head_kernel": {"data_offsets": [8, 32]}},
        {"head_kernel": {"data_offsets": [12, 40]}},
        {"head_kernel": {"shape": [3, 3]}},
        {"head_kernel": {"shape": [-2, -3]}},
        {"head_bias": {"dtype": "F33"}},
        {"head_bias": {"dtype": "I32"}},
        {"__metadata__": {"a": 1}},
    ],
    ids=["overlap", "gap", "end", "shape", "negative", "dtype", "integers", "metadata"],
)
def test_a_header_that_does_not_hold_is_refused(tmp_path, changes):
    pytest.importorskip("safetensors")
    path = tmp_path / "a.safetensors"
    written(path, **changes)
    with pytest.raises(BadFile, match=r"a.safetensors has no weights of") as caught:
        ir.weights.load_weights(path, LINEAR)
    assert "\n" not in str(caught.value)
