"""Which leases are due an invoice, and why the others are not: SQL, and the step that keeps the
plan."""
