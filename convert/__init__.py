"""From a trained classifier to a bundle that the served code loads. Runs on a developer's machine.

sources -> rewrite -> quantize -> verify -> bundle; TensorFlow is imported only by `keras_source`,
`saved_model_source` and `digits`.
"""
