"""The quantisations that the converter can make. Command lines import this module, so it imports nothing heavy."""

import re
from typing import Literal, get_args

Mode = Literal["float32", "float16", "dynamic", "int8"]
"""float32: the weights stay as they are. float16: the weights have 16 bits.
dynamic: the weights have 8 bits, and each activation is quantised while the model runs.
int8: weights, activations, input and output have 8 bits; pictures decide the ranges of the activations."""
MODES: tuple[Mode, ...] = get_args(Mode)
DEFAULT_MODE: Mode = "dynamic"
MODE_WITH_PICTURES: Mode = "int8"
"""The default if there are pictures for calibration: the fastest on AVX2 and on arm64 (docs/costs.md)."""
Found = Literal[Mode, "uint8", "int16x8", "weight-only", "int4", "int2"]
"""How an existing model is quantised. The converter reads these forms too, and does not make them:
uint8: the older form of int8. int16x8: weights of 8 bits, activations of 16. weight-only: weights of 8 bits, which are
made float before the layer computes. int4, int2: as dynamic, with weights of so many bits."""
KeepFloat = Literal["auto"] | int | re.Pattern[str]
"""Which layers stay in float: as few as needed, a number of the worst, or those in whose name or kind a pattern is."""
