"""Autoscalers of replicas."""
