"""The report of a comparison: rows in, JSON and HTML out. Pure: no AWS, no clock, no files but its style."""
