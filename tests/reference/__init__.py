"""Slow, plain, independent implementations that the fast ones are compared with."""
