"""The AWS services that the app uses, and the events that they send. Only `clients` imports boto3."""
