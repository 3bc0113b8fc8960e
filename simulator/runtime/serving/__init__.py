"""LLM serving on the clock: services, their replicas, and what these keep in memory."""
