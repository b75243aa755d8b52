"""Paystack's books against ours: the net below everything else.

Comes in: Paystack's payment requests, the invoice ledger and LeaseUp's invoices. Goes out: an
invoice for each payment request of ours that had none, payments recorded, unpaid duplicates
archived, and what only a person can decide. Never: a change to a payment request without our
reference.
"""
