"""Builds the layers and what else is zipped: small, with bytecode, byte for byte the same each time."""
