"""SQL: the invoice ledger. Each change of state, and each query about it."""
