"""Areas of validation: one file each, registered by name."""
