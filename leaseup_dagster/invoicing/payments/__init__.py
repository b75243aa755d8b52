"""What was paid on an invoice, recorded once, and what only an operator can decide about it."""
