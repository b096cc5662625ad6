"""The embedded default: a small Inception, and the drawn digits that it is trained on."""
