"""Layers and deployment: layers are built small, checked symbol by symbol and published once per content.

`build` makes the layers, `check` proves them, `deploy` puts a stage on AWS. The target's own Python runs
`build.compile_script` and `check.first_answer`, which import nothing of this package.
"""
