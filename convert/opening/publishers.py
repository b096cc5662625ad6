"""Whose network a saved Keras model is, by the names and the structure that its configuration shows."""

from typing import Any

from convert.contract.findings import PREPROCESS, Finding, Preprocess
from convert.opening.keras_config import layers_of, nodes
from convert.opening.networks import of_base

_NETWORKS = ("Functional", "Model")


def pixels_of(config: dict[str, Any]) -> Finding[Preprocess] | None:
    """How pixels are scaled outside of the network, if its publisher is known; None if it is not."""
    if _is_teachable_machine(config):
        return Finding(PREPROCESS["tf"], "source", "it is built as Teachable Machine builds it, which takes -1..1")
    names = [_name(node) for node in nodes(config) if node.get("class_name") in _NETWORKS]
    return next((found for name in names if (found := of_base(name))), None)


def _is_teachable_machine(config: dict[str, Any]) -> bool:
    """Whether it is a row of two: a narrow MobileNet with a pool, and two dense layers with the names of tfjs.

    Teachable Machine trains the second in the browser, on what the first, of alpha 0.35, makes of a picture.
    """
    parts = [layer for layer in layers_of(config) if layer.get("class_name") == "Sequential"]
    if config.get("class_name") != "Sequential" or len(parts) != 2:
        return False
    base, head = parts
    pools = [layer for layer in layers_of(base) if str(layer.get("class_name")).startswith("GlobalAveragePooling2D")]
    networks = [layer for layer in layers_of(base) if layer.get("class_name") in _NETWORKS]
    dense = [layer for layer in layers_of(head) if layer.get("class_name") == "Dense"]
    if len(pools) != 1 or len(networks) != 1 or not 1 <= len(dense) <= 2:
        return False
    depthwise = [layer for layer in layers_of(networks[0]) if layer.get("class_name") == "DepthwiseConv2D"]
    return len(depthwise) == 17 and all(_name(layer).startswith("dense_Dense") for layer in dense)


def _name(layer: dict[str, Any]) -> str:
    config = layer.get("config")
    return str(config.get("name", "") if isinstance(config, dict) else "") or str(layer.get("name", ""))
