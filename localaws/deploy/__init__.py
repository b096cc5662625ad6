"""Deploys this project into the local AWS, with the commands that deploy it to AWS."""
