"""Inception v3's building blocks at any width, for the small network that the project trains itself.

The A, B and C blocks of Szegedy et al., "Rethinking the Inception Architecture for Computer Vision"
(2015), figures 5 to 7: each branch is a chain of convolutions, batch norm and ReLU; the last one pools.
"""

from typing import Any

from keras import layers


def conv(x: Any, filters: int, kernel: tuple[int, int], strides: int = 1) -> Any:
    """Convolution without bias, batch norm, ReLU: (N, H, W, C) to (N, H/strides, W/strides, filters)."""
    x = layers.Conv2D(filters, kernel, strides=strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(scale=False, momentum=0.9)(x)
    return layers.Activation("relu")(x)


def _chain(x: Any, filters: int, *kernels: tuple[int, int]) -> Any:
    for kernel in kernels:
        x = conv(x, filters, kernel)
    return x


def _pool_branch(x: Any, filters: int) -> Any:
    return conv(layers.AveragePooling2D((3, 3), strides=1, padding="same")(x), filters, (1, 1))


def block_a(x: Any, width: int) -> Any:
    """1x1, 5x5, two 3x3 and a pool, side by side: (N, H, W, C) to (N, H, W, 4 * width)."""
    branches = [
        conv(x, width, (1, 1)),
        _chain(x, width, (1, 1), (5, 5)),
        _chain(x, width, (1, 1), (3, 3), (3, 3)),
        _pool_branch(x, width),
    ]
    return layers.Concatenate()(branches)


def block_b(x: Any, width: int, n: int = 7) -> Any:
    """Convolutions of n x n factorised into 1xn and nx1: (N, H, W, C) to (N, H, W, 4 * width)."""
    branches = [
        conv(x, width, (1, 1)),
        _chain(x, width, (1, 1), (1, n), (n, 1)),
        _chain(x, width, (1, 1), (n, 1), (1, n), (n, 1), (1, n)),
        _pool_branch(x, width),
    ]
    return layers.Concatenate()(branches)


def block_c(x: Any, width: int) -> Any:
    """1x3 and 3x1 side by side instead of one after the other: (N, H, W, C) to (N, H, W, 6 * width)."""
    narrow, deep = conv(x, width, (1, 1)), _chain(x, width, (1, 1), (3, 3))
    branches = [
        conv(x, width, (1, 1)),
        *(conv(branch, width, kernel) for branch in (narrow, deep) for kernel in ((1, 3), (3, 1))),
        _pool_branch(x, width),
    ]
    return layers.Concatenate()(branches)


def reduction(x: Any, width: int) -> Any:
    """Halve height and width: a strided 3x3, two 3x3 and a maximum pool, side by side."""
    branches = [
        conv(x, width, (3, 3), strides=2),
        conv(_chain(x, width, (1, 1), (3, 3)), width, (3, 3), strides=2),
        layers.MaxPooling2D((3, 3), strides=2, padding="same")(x),
    ]
    return layers.Concatenate()(branches)
