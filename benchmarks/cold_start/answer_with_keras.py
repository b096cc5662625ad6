"""Run in a new process: the same job in plain TensorFlow and Keras.

python answer_with_keras.py MODEL.keras PICTURE
"""

import sys

import keras
import numpy as np
from PIL import Image

model = keras.models.load_model(sys.argv[1], compile=False)
picture = Image.open(sys.argv[2]).convert("RGB").resize((299, 299))
pixels = keras.applications.inception_v3.preprocess_input(np.asarray(picture, np.float32)[None])
scores = model.predict(pixels, verbose=0)[0]
best = np.argsort(scores)[::-1][:5]
assert scores.shape == (1000,)
print([(int(i), float(scores[i])) for i in best])
print("answered", flush=True)
