"""How jobs that share an accelerator slow each other, one rule a file; see ``policies.api.Interference``."""
