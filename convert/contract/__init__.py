"""What a model expects of pixels and what its output means, each with the evidence for it."""
