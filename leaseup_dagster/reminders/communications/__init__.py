"""What was sent, kept as evidence: delivery status, export, retention."""
