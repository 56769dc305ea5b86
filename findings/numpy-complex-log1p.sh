#!/bin/sh
# log1p of a complex number forgets a small real part, and a complex-step derivative of softplus through it is wrong without limit.
#
# Guess: log1p is there for small arguments, and keeps them whatever the dtype, as expm1 does.
# Seen, NumPy 2.4.6: below 1e-16 the real part is 0 (it is that of log(1 + z)), the imaginary part is right. A derivative Im f(x + ih)/h,
# used because it has no cancellation, is then right for softplus itself and wrong for what is computed from it, here at x = -40:
#
#     log1p(1e-18)      1e-18
#     log1p(1e-18+0j)   0j
#     expm1(1e-18+0j)   (1e-18+0j)
#     softplus          4.2484e-18   complex step 4.2484e-18
#     log of softplus   1.0000e+00   complex step 1.5708e+30
#     its square        3.6097e-35   complex step 0.0000e+00
#
# Instead: for z = a + ib, log1p(a (2 + a) + b²) / 2 + i arctan2(b, 1 + a).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import math

import numpy as np

X, H = -40.0, 1e-30
print("log1p(1e-18)     ", np.log1p(1e-18))
print("log1p(1e-18+0j)  ", np.log1p(1e-18 + 0j))
print("expm1(1e-18+0j)  ", np.expm1(1e-18 + 0j))
assert np.log1p(1e-18) == np.expm1(1e-18 + 0j) == 1e-18
assert np.log1p(1e-18 + 0j) == 0


def by_hand(z):
    a, b = z.real, z.imag
    return np.log1p(a * (2 + a) + b * b) / 2 + 1j * np.arctan2(b, 1 + a)


def softplus(x, log1p=np.log1p):
    return log1p(np.exp(x))


def look(name, function, true):
    found = {way: function(softplus(X + 1j * H, way)).imag / H for way in (np.log1p, by_hand)}
    print(f"{name:15}   {true:.4e}   complex step {found[np.log1p]:.4e}")
    assert math.isclose(found[by_hand], true, rel_tol=1e-9)
    return math.isclose(found[np.log1p], true, rel_tol=1e-3)


value, slope = softplus(X), 1 / (1 + math.exp(-X))
assert look("softplus", lambda s: s, slope)
assert not look("log of softplus", np.log, slope / value)
assert not look("its square", np.square, 2 * value * slope)
EOF
