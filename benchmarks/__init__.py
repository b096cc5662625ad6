"""Measurements behind the README's figures; `batch.proof` and `workflow` are proofs instead.

Whatever is compared is measured in the same run.
"""
