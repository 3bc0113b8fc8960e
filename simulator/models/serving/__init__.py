"""How long a language model takes on an accelerator, what fits beside its weights, and what a token costs."""
