"""What a deployment leaves in the account when it is interrupted and given again, and when it is destroyed."""
