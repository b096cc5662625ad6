"""The networks of keras.applications: by which name each is converted, and what it was trained with. No TensorFlow."""

import difflib
import re
from typing import NamedTuple

from convert.contract.findings import PREPROCESS, Finding, Preprocess

_USUAL, _LONG_SIDE = 0.875, 299


class Network(NamedTuple):
    """One network, with ImageNet's weights."""

    builder: str
    """Its function in keras.applications."""
    module: str
    """The module of keras.applications whose preprocess_input is for it."""
    side: int
    """Height and width in px of the pictures that it was trained on."""
    crop: float = _USUAL
    """Share of the shorter side that its authors keep: 224 of 256 px is usual. Source: timm's default_cfgs, which cite
    each author's own evaluation; for EfficientNet its authors' CROP_PADDING, side / (side + 32)."""

    @property
    def pixels(self) -> Preprocess:
        """What its preprocess_input does to RGB in 0..255."""
        return PREPROCESS[MODES[self.module]]

    @property
    def published(self) -> Finding[Preprocess]:
        """The same, with its source."""
        return Finding(self.pixels, "source", f"keras.applications.{self.module}.preprocess_input does so")


MODES = {
    "convnext": "none", "densenet": "torch", "efficientnet": "none", "efficientnet_v2": "none",
    "inception_resnet_v2": "tf", "inception_v3": "tf", "mobilenet": "tf", "mobilenet_v2": "tf", "mobilenet_v3": "none",
    "nasnet": "tf", "resnet": "caffe", "resnet_v2": "tf", "vgg16": "caffe", "vgg19": "caffe", "xception": "tf",
}  # fmt: skip
"""Module of keras.applications to a key of PREPROCESS. "none": the network itself has layers that scale pixels."""


def _padded(side: int) -> float:
    return round(side / (side + 32), 4)


NETWORKS = {
    "inception_v3": Network("InceptionV3", "inception_v3", _LONG_SIDE),
    "inception_resnet_v2": Network("InceptionResNetV2", "inception_resnet_v2", _LONG_SIDE, 0.8975),
    "xception": Network("Xception", "xception", _LONG_SIDE, 0.8975),
    "mobilenet": Network("MobileNet", "mobilenet", 224),
    "mobilenet_v2": Network("MobileNetV2", "mobilenet_v2", 224),
    "mobilenet_v3_small": Network("MobileNetV3Small", "mobilenet_v3", 224),
    "mobilenet_v3_large": Network("MobileNetV3Large", "mobilenet_v3", 224),
    "nasnet_mobile": Network("NASNetMobile", "nasnet", 224),
    "nasnet_large": Network("NASNetLarge", "nasnet", 331, 0.911),
    "vgg16": Network("VGG16", "vgg16", 224),
    "vgg19": Network("VGG19", "vgg19", 224),
    **{f"densenet{n}": Network(f"DenseNet{n}", "densenet", 224) for n in (121, 169, 201)},
    **{f"resnet{n}": Network(f"ResNet{n}", "resnet", 224) for n in (50, 101, 152)},
    **{f"resnet{n}_v2": Network(f"ResNet{n}V2", "resnet_v2", 224) for n in (50, 101, 152)},
    **{
        f"efficientnet_b{n}": Network(f"EfficientNetB{n}", "efficientnet", side, _padded(side))
        for n, side in enumerate((224, 240, 260, 300, 380, 456, 528, 600))
    },
    **{
        f"efficientnet_v2_b{n}": Network(f"EfficientNetV2B{n}", "efficientnet_v2", side, _padded(side))
        for n, side in enumerate((224, 240, 260, 300))
    },
    **{
        f"efficientnet_v2_{size}": Network(f"EfficientNetV2{size.upper()}", "efficientnet_v2", side, 1.0)
        for size, side in (("s", 384), ("m", 480), ("l", 480))
    },
    **{
        f"convnext_{size}": Network(f"ConvNeXt{builder}", "convnext", 224)
        for size, builder in (
            ("tiny", "Tiny"),
            ("small", "Small"),
            ("base", "Base"),
            ("large", "Large"),
            ("xlarge", "XLarge"),
        )
    },
}
_BASES = {
    "caffe": r"resnet(?:50|101|152)|vgg(?:16|19)",
    "torch": r"densenet(?:121|169|201)|convnext_\w+?",
    "tf": r"resnet(?:50|101|152)v2|inception_v3|inception_resnet_v2|xception|mobilenet(?:v2)?_[\d.]+_\d+|"
    r"mobilenetv3\w+?|nasnet\w*?|efficientnetv2-\w+?",
}
"""Keras's usual names of networks that do not scale pixels themselves, to a key of PREPROCESS. MobileNet v3,
EfficientNet v2 and ConvNeXt do not if they were built with include_preprocessing=False."""


def near(text: str) -> str:
    """Names like this one, as the end of a sentence; "" if there are none."""
    flat = {_flat(name): name for name in NETWORKS}
    found = difflib.get_close_matches(_flat(text), flat, n=3, cutoff=0.75)
    return f"; did you mean {' or '.join(flat[name] for name in found)}?" if found else ""


def of_base(name: str) -> Finding[Preprocess] | None:
    """What a network of this name takes, if it is one of keras.applications' and its graph shows no scaling."""
    for mode, pattern in _BASES.items():
        if re.fullmatch(rf"(?:{pattern})(?:_\d+)?", name.lower()):
            reason = f"its base is called {name}, whose preprocess_input is {mode}, and the graph scales nothing"
            return Finding(PREPROCESS[mode], "assumption", reason)
    return None


def _flat(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
