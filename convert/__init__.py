"""Turns a trained classifier into a bundle that the app serves. Runs on a developer's machine.

`opening` finds the source. `pipeline` takes it through `contract`, `rewrite`, `quantize`, `bundle` and `verify`. Only
`opening`, `digits` and one module of `contract` import TensorFlow.
"""
