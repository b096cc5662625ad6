"""Measurements behind the README's figures: everything that is compared runs side by side in one run."""
