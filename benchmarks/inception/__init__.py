"""Inception v3 in each quantisation: the time of one inference, and the accuracy after training on digits."""
