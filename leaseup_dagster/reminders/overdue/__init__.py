"""SQL: which invoices are overdue, and what must not be among the texts."""
