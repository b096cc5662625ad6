"""The local AWS: endpoint, API Gateway, event source mappings, and all of it together."""
