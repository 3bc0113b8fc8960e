"""Batching: how an inference engine puts its iterations together."""
