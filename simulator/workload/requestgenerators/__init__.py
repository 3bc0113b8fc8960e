"""Generators of requests: functions under ``@request_generators.register(name)``, see ``workload.requestgenerate``."""
