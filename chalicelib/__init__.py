"""The served code. All but `batch.cli` runs on Lambda, so every import must earn its milliseconds."""
