"""Smaller pictures: what each size costs and how well it answers, and the cheapest that is good enough."""
