"""Each trigger's pictures, to one result each."""
