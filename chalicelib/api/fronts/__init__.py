"""Events of every front, and of none, to what the app reads, and its response to what the front expects.

It starts at `door`.
"""
