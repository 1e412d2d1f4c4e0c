"""Measuring the budgets: each figure with its baseline beside it, taken in the same run."""
