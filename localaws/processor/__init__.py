"""A function's share of the processor, which its memory size decides."""
