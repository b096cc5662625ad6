"""A small library in place of OpenBLAS: numpy's modules do not load without one, and nothing served multiplies."""
