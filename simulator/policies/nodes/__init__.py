"""What controllers of nodes have in common: packing jobs onto nodes, moving what runs, choosing groups, budgets."""
