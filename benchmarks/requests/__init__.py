"""What a warm request takes beyond the inference, by picture and by part: `python -m benchmarks.requests`."""
