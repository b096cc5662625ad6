"""Run by the emulated Python: some inferences of one model, on one thread.

python infer.py ENGINE MODEL COUNT
"""

import sys

import numpy as np

from benchmarks.peers.engines import ENGINES

engine, path, number = sys.argv[1:]
model = ENGINES[engine](path, 1)
picture = model.encode(np.zeros(model.shape, np.float32))
for _ in range(int(number)):
    model.run(picture)
