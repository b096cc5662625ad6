"""A function's share of the processor and its memory, which its memory size decides; what it sees of the processor."""
