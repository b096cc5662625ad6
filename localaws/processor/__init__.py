"""A function's share of the processor, which its memory size decides, and the limit of that memory."""
