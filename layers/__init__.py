"""Layers and deployment: layers are built small, checked symbol by symbol and published once per content.

`build` makes the layers, `check` proves them, `deploy` puts a stage on AWS. `cpulist` is a library that arm64 needs
there, `emulator` runs arm64 here. The target's own Python runs `build.compile_script` and `check.first_answer`,
which import nothing of this package.
"""
