"""Networks and losses in PyTorch, written from docs/conformance-format.md alone.

Functional, an example after the other along the first axis, channels last; float64.
Here to be broken: the mistakes of the blind list are planted in this source.
"""

import numpy
import torch

F64 = torch.float64


def tensor(a):
    """Return an array as a tensor, classes as integers."""
    a = numpy.asarray(a)
    return torch.tensor(a, dtype=F64 if a.dtype.kind == "f" else torch.int64)


def shapes(layer):
    """Return the shapes of a layer's parameters, in the order of the vector."""
    kind = layer["type"]
    if kind == "Linear":
        return [(layer["in_features"], layer["out_features"]), (layer["out_features"],)]
    if kind == "Conv2d":
        inputs, outputs = layer["in_channels"], layer["out_channels"]
        kernel = (*layer["kernel_size"], inputs, outputs)
        return [kernel, (outputs,)] if layer["use_bias"] else [kernel]
    if kind == "BatchNorm2d":
        return [(layer["num_channels"],), (layer["num_channels"],)]
    return []


def forward(network, phi, x):
    """Return the outputs (N, D) of a network with parameters (P,)."""
    start = 0
    for layer in network["layers"]:
        params = []
        for shape in shapes(layer):
            size = int(numpy.prod(shape))
            params.append(phi[start : start + size].reshape(shape))
            start += size
        x = LAYERS[layer["type"]](layer, x, *params)
    return x


def linear(layer, x, kernel, bias):
    """Return x W + b."""
    return x @ kernel + bias


def conv2d(layer, x, kernel, bias=None):
    """Return the cross-correlation of (N, H, W, C) with (kh, kw, in, out)."""
    y = torch.nn.functional.conv2d(
        x.permute(0, 3, 1, 2),
        kernel.permute(3, 2, 0, 1),
        bias,
        stride=tuple(layer["stride"]),
        padding=tuple(layer["padding"]),
    )
    return y.permute(0, 2, 3, 1)


def batch_norm(layer, x, gamma, beta):
    """Normalise each channel with the statistics of the batch."""
    mean = x.mean(dim=(0, 1, 2))
    var = ((x - mean) ** 2).mean(dim=(0, 1, 2))
    return gamma * (x - mean) / torch.sqrt(var + layer["eps"]) + beta


def zero_pad(layer, x):
    """Add zeros below and on the right."""
    return torch.nn.functional.pad(x, (0, 0, 0, layer["right"], 0, layer["bottom"]))


def windows(layer, x):
    """Return the windows of pooling: (N, H', W', C, window)."""
    rows, columns = pair(layer["window"])
    x = x.unfold(1, rows, rows).unfold(2, columns, columns)
    return x.flatten(-2)


def pair(size):
    """Return rows and columns."""
    return (size, size) if isinstance(size, int) else size


def max_pool(layer, x):
    """Return the first largest entry of each window."""
    x = windows(layer, x)
    best = x.detach().argmax(-1, keepdim=True)
    return x.gather(-1, best).squeeze(-1)


def average_pool(layer, x):
    """Return the mean of each window."""
    return windows(layer, x).mean(-1)


def global_average(layer, x):
    """Return the mean over pixels."""
    return x.mean(dim=(1, 2))


def flatten(layer, x):
    """Return images as vectors, channels fastest."""
    return x.reshape(x.shape[0], -1)


def relu(layer, x):
    """Return max(x, 0)."""
    return torch.relu(x)


def softplus(layer, x):
    """Return log(1 + exp x)."""
    return torch.logaddexp(x, torch.zeros_like(x))


def tanh(layer, x):
    """Return tanh x."""
    return torch.tanh(x)


def elu(layer, x):
    """Return x, or α (exp x − 1) below zero."""
    negative = layer["alpha"] * torch.expm1(torch.clamp(x, max=0.0))
    return torch.where(x > 0, x, negative)


LAYERS = {
    "Linear": linear,
    "Conv2d": conv2d,
    "BatchNorm2d": batch_norm,
    "ZeroPad2d": zero_pad,
    "MaxPool2d": max_pool,
    "AveragePool2d": average_pool,
    "GlobalAveragePool2d": global_average,
    "Flatten": flatten,
    "ReLU": relu,
    "Softplus": softplus,
    "Tanh": tanh,
    "ELU": elu,
}


def cross_entropy(z, y):
    """Return the mean of −log softmax at the classes y."""
    picked = z.gather(1, y[:, None]).squeeze(1)
    return (torch.logsumexp(z, dim=1) - picked).mean()


def squared_error(z, y):
    """Return the mean of ½ ‖z − y‖², summed over outputs."""
    return (0.5 * ((z - y) ** 2).sum(dim=1)).mean()


LOSSES = {"cross-entropy": cross_entropy, "squared-error": squared_error}
