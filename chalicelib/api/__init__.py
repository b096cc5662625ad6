"""HTTP: the only package that knows a request."""
