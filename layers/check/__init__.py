"""Checks what was built: sizes, symbols against the target, an answer from a clean process."""
