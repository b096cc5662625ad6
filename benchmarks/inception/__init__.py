"""Inception v3 in each quantisation: the models that are counted, and the accuracy after training on digits."""
