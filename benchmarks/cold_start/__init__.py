"""Time from a new process to its first answer: the packaged function compared with heavier ways."""
