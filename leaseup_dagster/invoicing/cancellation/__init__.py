"""Cancels invoices at Paystack and in LeaseUp, when an operator asks for it."""
