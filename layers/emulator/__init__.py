"""Runs arm64 programs on a machine of another processor: QEMU's user mode emulation, with an arm64 Python of Debian."""
