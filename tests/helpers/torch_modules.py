"""Modules of PyTorch that are our networks, named and sorted otherwise.

Images have height, width and channels that differ; so have the features that are
flattened.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from imaml_ref.layers import Conv2d, Flatten, Linear, ReLU
from imaml_ref.networks import Network, architectures


class Conv4(nn.Module):
    """conv4 for images (2, 32, 48): 2 × 3 pixels are flattened."""

    net = architectures.conv4(3, input_shape=(32, 48, 2), num_filters=5)

    def __init__(self):
        super().__init__()
        blocks = [self.block(channels) for channels in (2, 5, 5, 5)]
        self.encoder = nn.Sequential(*blocks, nn.Flatten())
        self.fc = nn.Linear(5 * 2 * 3, 3)

    def block(self, channels):
        conv = nn.Conv2d(channels, 5, 3, padding=1)
        return nn.Sequential(conv, nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2))

    def forward(self, x):
        return self.fc(self.encoder(x))


class OmniglotCnn(nn.Module):
    """omniglot_cnn for images (1, 28, 40); all normalisations come first, by name."""

    net = architectures.omniglot_cnn(4, input_shape=(28, 40, 1), num_filters=3)

    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(3) for _ in range(4))
        self.head = nn.Linear(3 * 2 * 3, 4)
        convs = [nn.Conv2d(c, 3, 3, 2, 1) for c in (1, 3, 3, 3)]
        self.convs = nn.ModuleList(convs)

    def forward(self, x):
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = F.relu(norm(conv(x)))
            x = F.pad(x, (0, 1, 0, 1)) if i == 1 else x
        return self.head(x.flatten(1))


class Mlp(nn.Sequential):
    """An mlp for images (3, 4, 5)."""

    net = architectures.mlp((4, 5, 3), (7, 6), 2)

    def __init__(self):
        first = nn.Flatten(), nn.Linear(60, 7), nn.ReLU()
        super().__init__(*first, nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 2))


class LateReLU(nn.Sequential):
    """A network whose images are flat before the activation; no bias in front."""

    net = Network(
        {
            "conv": Conv2d(2, 3, kernel_size=(3, 1), use_bias=False),
            "flatten": Flatten(),
            "relu": ReLU(),
            "head": Linear(3 * 4 * 4, 5),
        },
        (6, 4, 2),
    )

    def __init__(self):
        conv = nn.Conv2d(2, 3, (3, 1), bias=False)
        super().__init__(conv, nn.Flatten(), nn.ReLU(), nn.Linear(48, 5))


MODULES = {"conv4": Conv4, "omniglot-cnn": OmniglotCnn, "mlp": Mlp, "late": LateReLU}


def made(kind, dtype=torch.float32, seed=0):
    """Return a module in training mode, none of whose parameters is constant."""
    torch.manual_seed(seed)
    module = kind().to(dtype).train()
    with torch.no_grad():
        for a in module.parameters():
            a.add_(0.1 * torch.randn_like(a))
    return module


def images(net, dtype, count=7):
    """Return inputs for both, (N, H, W, C) and (N, C, H, W)."""
    x = np.random.default_rng(1).normal(size=(count, *net.input_shape)).astype(dtype)
    return x, torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
