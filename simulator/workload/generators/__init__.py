"""Workload generators: functions marked with ``@generators.register(name)``, see ``simulator.workload.generate``."""
