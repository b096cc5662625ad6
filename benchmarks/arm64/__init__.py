"""Inception v3 on Lambda's arm64, estimated: instructions counted under emulation, turned into time and dollars."""
