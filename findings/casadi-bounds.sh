#!/bin/sh
# A bound that is far away makes the derivative of CasADi's argmin exactly 0.
#
# Guess: a bound of 100 that the solution at 0.7 does not touch changes nothing, neither the solution nor its derivative.
# Seen, CasADi 3.8.2, nlpsol with IPOPT: proximal logistic regression w(t), the first entry of dw/dt:
#
#     IPOPT, no bounds                   solution  0.6676   derivative 0.7643   by differences 0.7643
#     IPOPT, -100 <= w <= 100            solution  0.6676   derivative 0.0000   by differences 0.7643
#     IPOPT, -1e6 <= w <= 1e6            solution  0.6676   derivative 0.0000   by differences 0.7643
#     IPOPT, the same, min_lam=1e-6      solution  0.6676   derivative 0.7643   by differences 0.7643
#     SQP method, -100 <= w <= 100       solution  0.6676   derivative 0.7643   by differences 0.7643
#
# IPOPT's multipliers are never quite 0, and a constraint counts as active where its multiplier is not 0. Who differentiates
# through an inner problem learns nothing, without a word. Instead: min_lam, and one difference of the solution.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check casadi==3.8.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import casadi as ca
import numpy as np

rng = np.random.default_rng(0)
X, y, theta = rng.normal(size=(6, 3)), np.sign(rng.normal(size=6)), rng.normal(size=3)
SILENT = {
    "ipopt": {"ipopt.print_level": 0, "ipopt.sb": "yes"},
    "sqpmethod": {
        "print_header": False,
        "print_iteration": False,
        "print_status": False,
        "qpsol": "qrqp",
        "qpsol_options": {"print_iter": False, "print_header": False},
    },
}


def look(name, method, bound, **options):
    w, t = ca.SX.sym("w", 3), ca.SX.sym("t", 3)
    loss = ca.sum1(ca.log(1 + ca.exp(-y * ca.mtimes(X, w)))) / 6 + ca.sumsqr(w - t) / 2
    options = {"print_time": False} | SILENT[method] | options
    solver = ca.nlpsol("solver", method, {"x": w, "p": t, "f": loss}, options)
    t = ca.MX.sym("t", 3)
    found = solver(x0=t, p=t, lbx=-bound, ubx=bound)["x"]
    argmin = ca.Function("argmin", [t], [found])
    jacobian = ca.Function("jacobian", [t], [ca.jacobian(found, t)])
    step = np.array([1e-3, 0, 0])
    true = (np.array(argmin(theta + step)) - np.array(argmin(theta - step)))[:, 0] / 2e-3
    column = np.array(jacobian(theta))[:, 0]
    print(
        f"{name:34} solution {float(argmin(theta)[0]):7.4f}   derivative {column[0]:.4f}"
        f"   by differences {true[0]:.4f}"
    )
    return column, np.allclose(column, true, atol=1e-5)


assert look("IPOPT, no bounds", "ipopt", np.inf)[1]
assert (look("IPOPT, -100 <= w <= 100", "ipopt", 100)[0] == 0).all()
assert (look("IPOPT, -1e6 <= w <= 1e6", "ipopt", 1e6)[0] == 0).all()
assert look("IPOPT, the same, min_lam=1e-6", "ipopt", 1e6, min_lam=1e-6)[1]
assert look("SQP method, -100 <= w <= 100", "sqpmethod", 100)[1]
EOF
