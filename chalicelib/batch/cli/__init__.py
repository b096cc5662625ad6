"""The command line `python -m chalicelib.batch`, which Lambda never imports.

`main` parses the arguments; `progress` draws the bar. `remote` works with batches on AWS, and
`export` writes their results. `folder` classifies a folder on this machine: it starts `processes`, each of which runs
`child` on a `job`, and writes the answers with `files`.
"""
