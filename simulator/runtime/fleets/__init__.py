"""Fleets of alike replicas as jobs of the cluster: how many, how they start, what their autoscaler is told."""
