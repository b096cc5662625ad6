"""The command line `python -m chalicelib.client`, which asks a served API; Lambda never loads it.

`main` parses the arguments and asks about several pictures at once. `pictures` finds the files and scales down what may
be scaled, with Pillow. `server` has the API's calls over `transport`, which sends a request and tries again what may
pass. `output` writes table, JSON Lines or CSV.
"""
