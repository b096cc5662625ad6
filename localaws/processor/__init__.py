"""A function's share of the processor, as its memory size gives it."""
