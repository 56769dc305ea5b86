"""Is the meta-gradient of another program right?  HDF5 in, HDF5 out.

    python examples/conformance_files.py
    imaml-ref conformance run -- python examples/conformance_files.py {inputs} {answers}

`answer_all` is that program: it needs NumPy and h5py alone, as one in Julia or C++
would need its own HDF5 alone, and takes docs/conformance-format.md at its word.  It
knows linear models and linear systems, and leaves the rest out: what is absent counts
as not attempted.  Without arguments all three steps are made: export, answer, check.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np


def answer_all(inputs: str, answers: str) -> None:
    """Read the cases of one file, write what can be answered into another."""
    with h5py.File(inputs) as given, h5py.File(answers, "w") as file:
        file.attrs["schema"] = "imaml_ref/conformance-answers"
        file.attrs["schema_version"] = 1
        file.attrs["suite_version"] = given.attrs["suite_version"]
        for name, case in given["cases"].items():
            network = json.loads(case.attrs["network"])
            if network is None:
                answer_system(case, file.create_group(f"answers/{name}"))
            elif "groups" in case:
                continue  # tasks of unequal size
            elif [layer["type"] for layer in network["layers"]] == ["Linear"]:
                answer_linear_model(case, file.create_group(f"answers/{name}"))


def answer_system(case: h5py.Group, place: h5py.Group) -> None:
    """Answer L3; warn where the matrix is not positive definite."""
    A, b = case["inputs/A"][()], case["inputs/b"][()]
    place["L3/x"] = np.linalg.solve(A, b)
    if np.linalg.eigvalsh(A)[0] <= 0:
        place["L3"].attrs["warned"] = "A is not positive definite"


def answer_linear_model(case: h5py.Group, place: h5py.Group) -> None:
    """Answer L1, L2 and L4 of z = x W + b, whose curvature has a closed form."""
    given = {name: dataset[()] for name, dataset in case["inputs"].items()}
    lam = given["lam"] * np.eye(len(given["theta"]))
    losses, grads, products, meta_grads = [], [], [], []
    for t in range(len(given["phi"])):
        support = given["support_x"][t], given["support_y"][t]
        query = given["query_x"][t], given["query_y"][t]
        loss, grad, H = linear_model(case.attrs["loss"], given["phi"][t], *support)
        losses.append(loss)
        grads.append(grad)
        products.append(H @ given["v"][t])
        _, _, H = linear_model(case.attrs["loss"], given["solution"][t], *support)
        _, v, _ = linear_model(case.attrs["loss"], given["solution"][t], *query)
        meta_grads.append(lam @ np.linalg.solve(H + lam, v))
    place["L1/loss"], place["L1/grad"] = losses, grads
    place["L2/hvp"] = place["L2/gnvp"] = products  # z is linear in φ
    place["L4/meta_grad"] = np.mean(meta_grads, axis=0)


def linear_model(loss: str, phi, x, y) -> tuple[float, np.ndarray, np.ndarray]:
    """Return value, gradient (P,) and Hessian (P, P) at φ = (W, b), flat.

    With x̃ = (x, 1) and Φ = (W; b), z = x̃ Φ: a flat Φ in C order is W, then b, as the
    file has it.  A loss with gradient r_n and Hessian S_n in z_n has the gradient
    mean x̃_n ⊗ r_n and the Hessian mean (x̃_n x̃_nᵀ) ⊗ S_n.
    """
    x = np.column_stack([x, np.ones(len(x))])
    z = x @ phi.reshape(x.shape[1], -1)
    if loss == "squared-error":
        r, S = z - y, np.broadcast_to(np.eye(z.shape[1]), (*z.shape, z.shape[1]))
        values = 0.5 * (r**2).sum(1)
    else:
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        r = p - np.eye(z.shape[1])[y]
        S = p[:, :, None] * np.eye(z.shape[1]) - p[:, :, None] * p[:, None, :]
        values = -np.log(p[np.arange(len(y)), y])
    grad = x.T @ r / len(x)
    H = np.einsum("na,nb,nkl->akbl", x, x, S) / len(x)
    return values.mean(), grad.ravel(), H.reshape(len(phi), len(phi))


def main(arguments: list[str]) -> int:
    """Answer the file that is given; or export, answer and check."""
    if arguments:
        answer_all(*arguments)
        return 0
    from imaml_ref.cli import main as imaml_ref

    with TemporaryDirectory() as folder:
        inputs, answers = (str(Path(folder, f"{n}.h5")) for n in ("inputs", "answers"))
        imaml_ref(["conformance", "export", inputs])
        answer_all(inputs, answers)
        return imaml_ref(["conformance", "check", answers])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
