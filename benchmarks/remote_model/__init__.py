"""What a model from S3 costs a cold start, against the same model in a layer."""
