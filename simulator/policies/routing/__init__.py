"""Routers: which replica of a service a request is sent to."""
