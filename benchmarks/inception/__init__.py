"""Inception v3: time by quantisation, and accuracy after training on digits."""
