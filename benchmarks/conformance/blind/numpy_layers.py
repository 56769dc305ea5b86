"""Layers and losses in NumPy with backward passes written by hand.

Every function takes complex arrays too: a derivative is the imaginary part of what
comes back for φ + i h v.  Here to be broken, as program_numpy is.
"""

import numpy as np


class Linear:
    """Return x W + b."""

    def __init__(self, spec):
        """Take the sizes."""
        self.shapes = [(spec["in_features"], spec["out_features"])]
        self.shapes.append((spec["out_features"],))

    def forward(self, x, W, b):
        """Return the outputs (N, out)."""
        self.x, self.W = x, W
        return x @ W + b

    def backward(self, y_bar):
        """Return the gradients in x, W and b."""
        return y_bar @ self.W.T, self.x.T @ y_bar, y_bar.sum(axis=0)


class Conv2d:
    """Cross-correlation, a tap of the kernel at a time."""

    def __init__(self, spec):
        """Take the sizes."""
        self.kernel, self.stride = spec["kernel_size"], spec["stride"]
        self.padding = spec["padding"]
        self.shapes = [(*self.kernel, spec["in_channels"], spec["out_channels"])]
        if spec["use_bias"]:
            self.shapes.append((spec["out_channels"],))

    def taps(self, size):
        """Return for each tap where its pixels lie in the padded image."""
        (kh, kw), (sh, sw) = self.kernel, self.stride
        rows, columns = (size[0] - kh) // sh + 1, (size[1] - kw) // sw + 1
        for a in range(kh):
            for b in range(kw):
                i = slice(a, a + sh * (rows - 1) + 1, sh)
                j = slice(b, b + sw * (columns - 1) + 1, sw)
                yield (a, b), (slice(None), i, j)

    def forward(self, x, W, b=0.0):
        """Return the outputs (N, H', W', out)."""
        ph, pw = self.padding
        self.padded = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
        self.W, self.with_bias = W, len(self.shapes) == 2
        size = self.padded.shape[1:3]
        return sum(self.padded[at] @ W[tap] for tap, at in self.taps(size)) + b

    def backward(self, y_bar):
        """Return the gradients in x, W and b."""
        padded_bar = np.zeros(self.padded.shape, y_bar.dtype)
        W_bar = np.zeros(self.W.shape, y_bar.dtype)
        for tap, at in self.taps(self.padded.shape[1:3]):
            padded_bar[at] += y_bar @ self.W[tap].T
            W_bar[tap] = np.einsum("nhwi,nhwo->io", self.padded[at], y_bar)
        (ph, pw), (_, h, w, _) = self.padding, padded_bar.shape
        x_bar = padded_bar[:, ph : h - ph, pw : w - pw]
        bias = [y_bar.sum(axis=(0, 1, 2))] if self.with_bias else []
        return (x_bar, W_bar, *bias)


class BatchNorm2d:
    """Normalise with the statistics of the batch."""

    def __init__(self, spec):
        """Take the sizes."""
        self.shapes, self.eps = [(spec["num_channels"],)] * 2, spec["eps"]

    def forward(self, x, gamma, beta):
        """Return γ x̂ + β."""
        away = x - x.mean(axis=(0, 1, 2))
        self.inverse = 1 / np.sqrt((away**2).mean(axis=(0, 1, 2)) + self.eps)
        self.hat, self.gamma = away * self.inverse, gamma
        return gamma * self.hat + beta

    def backward(self, y_bar):
        """Return the gradients in x, γ and β."""
        axes = (0, 1, 2)
        gamma_bar, beta_bar = (y_bar * self.hat).sum(axes), y_bar.sum(axes)
        hat_bar = y_bar * self.gamma
        mean, along = hat_bar.mean(axes), (hat_bar * self.hat).mean(axes)
        x_bar = self.inverse * (hat_bar - mean - self.hat * along)
        return x_bar, gamma_bar, beta_bar


class Pool:
    """Windows that lie side by side: the base of both kinds of pooling."""

    shapes = ()

    def __init__(self, spec):
        """Take the window."""
        window = spec["window"]
        self.window = (window, window) if isinstance(window, int) else window

    def forward(self, x):
        """Return a number for each window."""
        (h, w), (n, rows, columns, c) = self.window, x.shape
        self.shape, self.grid = x.shape, (rows // h, columns // w)
        x = x[:, : self.grid[0] * h, : self.grid[1] * w]
        x = x.reshape(n, self.grid[0], h, self.grid[1], w, c)
        x = x.transpose(0, 1, 3, 5, 2, 4).reshape(n, *self.grid, c, h * w)
        self.weights = self.weigh(x)
        return (x * self.weights).sum(axis=-1)

    def backward(self, y_bar):
        """Return the gradient in x."""
        (h, w), (n, _, _, c) = self.window, self.shape
        x_bar = np.zeros(self.shape, y_bar.dtype)
        spread = (y_bar[..., None] * self.weights).reshape(n, *self.grid, c, h, w)
        spread = spread.transpose(0, 1, 4, 2, 5, 3)
        rows, columns = self.grid[0] * h, self.grid[1] * w
        x_bar[:, :rows, :columns] = spread.reshape(n, rows, columns, c)
        return (x_bar,)


class MaxPool2d(Pool):
    """The first largest entry of each window."""

    def weigh(self, x):
        """Return 1 at that entry, 0 elsewhere."""
        return np.arange(x.shape[-1]) == x.real.argmax(axis=-1)[..., None]


class AveragePool2d(Pool):
    """The mean of each window."""

    def weigh(self, x):
        """Return equal weights."""
        return np.full(x.shape[-1], 1 / x.shape[-1])


class ZeroPad2d:
    """Zeros below and on the right."""

    shapes = ()

    def __init__(self, spec):
        """Take how many."""
        self.bottom, self.right = spec["bottom"], spec["right"]

    def forward(self, x):
        """Return the larger image."""
        self.size = x.shape[1:3]
        return np.pad(x, ((0, 0), (0, self.bottom), (0, self.right), (0, 0)))

    def backward(self, y_bar):
        """Return the gradient in x."""
        return (y_bar[:, : self.size[0], : self.size[1]],)


class GlobalAveragePool2d:
    """The mean over pixels."""

    shapes = ()

    def __init__(self, spec):
        """Take nothing."""

    def forward(self, x):
        """Return (N, C)."""
        self.shape = x.shape
        return x.mean(axis=(1, 2))

    def backward(self, y_bar):
        """Return the gradient in x."""
        pixels = self.shape[1] * self.shape[2]
        return (np.broadcast_to(y_bar[:, None, None] / pixels, self.shape),)


class Flatten:
    """Images as vectors."""

    shapes = ()

    def __init__(self, spec):
        """Take nothing."""

    def forward(self, x):
        """Return (N, H·W·C)."""
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, y_bar):
        """Return the gradient in x."""
        return (y_bar.reshape(self.shape),)


class Activation:
    """An activation: y and y′, entry by entry."""

    shapes = ()

    def __init__(self, spec):
        """Take the kind, and α."""
        self.kind, self.alpha = spec["type"], spec.get("alpha")

    def forward(self, x):
        """Return y."""
        positive = x.real > 0
        if self.kind == "ReLU":
            y, self.slope = x * positive, positive
        elif self.kind == "Softplus":
            e = np.exp(np.where(positive, -x, x))
            y = np.log(1 + e) + x * positive
            self.slope = np.where(positive, 1 / (1 + e), e / (1 + e))
        elif self.kind == "Tanh":
            y = np.tanh(x)
            self.slope = 1 - y**2
        else:
            e = self.alpha * np.exp(np.where(positive, 0, x))
            y = np.where(positive, x, e - self.alpha)
            self.slope = np.where(positive, 1, e)
        return y

    def backward(self, y_bar):
        """Return the gradient in x."""
        return (y_bar * self.slope,)


def cross_entropy(z, y):
    """Return the loss and its gradient in z."""
    e = np.exp(z - z.real.max(axis=1, keepdims=True))
    softmax = e / e.sum(axis=1, keepdims=True)
    hot = np.eye(z.shape[1])[y]
    return -np.log((softmax * hot).sum(axis=1)).mean(), (softmax - hot) / len(z)


def squared_error(z, y):
    """Return the loss and its gradient in z."""
    away = z - y
    return 0.5 * (away**2).sum() / len(z), away / len(z)


KINDS = {k.__name__: k for k in (Linear, Conv2d, BatchNorm2d, MaxPool2d, AveragePool2d)}
KINDS |= {k.__name__: k for k in (ZeroPad2d, GlobalAveragePool2d, Flatten)}
KINDS |= dict.fromkeys(("ReLU", "Softplus", "Tanh", "ELU"), Activation)
