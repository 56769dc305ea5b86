"""On the double of a device every layer passes the checks of the host."""

import pytest

from imaml_ref.checks import check_layer
from tests.helpers.cases import LAYERS
from tests.machines.double import device_double


@pytest.fixture
def device():
    with device_double() as device:
        yield device


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS.keys())
def test_a_layer_is_right_there_too(case):
    check_layer(case.layer, case.x_shape, device="cuda")
