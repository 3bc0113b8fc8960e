"""Quotas of tenants: who may use how much, lend it and borrow it. Pure arithmetic, and what schedulers share."""
