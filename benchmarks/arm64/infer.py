"""Run by the emulated Python: some inferences of one model, on one thread.

python infer.py MODEL.tflite COUNT
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
details = interpreter.get_input_details()[0]
interpreter.set_tensor(details["index"], np.zeros(details["shape"], details["dtype"]))
for _ in range(int(sys.argv[2])):
    interpreter.invoke()
