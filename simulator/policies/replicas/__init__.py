"""Replica autoscalers: how many replicas a service has."""
