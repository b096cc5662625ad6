"""A new process to its first answer: the packaged function against heavier ways."""
