"""Run by the emulated Python: some inferences of one model, on one thread.

python infer.py ENGINE MODEL COUNT

If BLOCKS is in the environment, a file of that name and ".maps" says where each library was loaded.
"""

import os
import sys
from pathlib import Path

import numpy as np

from benchmarks.peers.engines import ENGINES

engine, path, number = sys.argv[1:]
model = ENGINES[engine](path, 1)
picture = model.encode(np.zeros(model.shape, np.float32))
for _ in range(int(number)):
    model.run(picture)
if "BLOCKS" in os.environ:
    Path(os.environ["BLOCKS"] + ".maps").write_bytes(Path("/proc/self/maps").read_bytes())
