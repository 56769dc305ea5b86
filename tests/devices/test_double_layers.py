"""On the double of a device every layer passes the checks of the host."""

import sys
from types import SimpleNamespace

import pytest
import scipy.special

from imaml_ref.checks import check_layer
from tests.helpers.cases import LAYERS
from tests.machines.double import device_double
from tests.machines.double.array import call


@pytest.fixture
def device(monkeypatch):
    """The double, with the one function of cupyx that a layer asks for."""
    with device_double() as device:

        def erfc(a):
            return call(device, scipy.special.erfc, (a,), {})

        special = SimpleNamespace(erfc=erfc)
        monkeypatch.setitem(sys.modules, "cupyx.scipy.special", special)
        yield device


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS.keys())
def test_a_layer_is_right_there_too(case):
    check_layer(case.layer, case.x_shape, device="cuda")
