"""Sharing accelerators of several types: allocations as linear programs, and how a cluster carries them out.

``problem`` is what an objective is told, ``objectives`` holds one file for each objective, ``program`` builds and
solves the linear programs, and ``rounds`` and ``ideal`` are the two ways to execute an allocation.
"""
