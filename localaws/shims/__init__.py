"""What moto is taught. Each module patches one part of moto, for as long as a `with` block runs."""
