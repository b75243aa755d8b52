"""Planned invoices → payment requests at Paystack → invoices in LeaseUp, exactly once."""
