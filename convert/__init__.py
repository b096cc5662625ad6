"""Turns a trained classifier into a bundle that the app serves. Runs on a developer's machine.

`opening` finds the source, `pipeline` takes it through `rewrite`, `quantize`, `bundle` and `verify`. Only
`tensorflow_source`, `inception` and `digits` import TensorFlow.
"""
