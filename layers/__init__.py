"""What is deployed besides the function: built small, checked symbol by symbol, published once per content.

`build` makes the layers, `check` proves them, `deploy` puts a stage on AWS. `build.compile_script` and
`check.first_answer` are run by the target's own Python, and import nothing of this package.
"""
