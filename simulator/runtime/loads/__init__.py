"""Services as a fluid: a demand over time, replicas that serve it at a rate, and a queue that is exact in between."""
