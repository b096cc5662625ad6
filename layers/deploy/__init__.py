"""Deploys a stage: layers, queues, state machine, alarms."""
