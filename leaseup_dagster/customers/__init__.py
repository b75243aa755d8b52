"""Tenants → Paystack customers.

Comes in: tenants without a customer code. Goes out: the code, stored where there was none.
Never: a code over another one, or a customer that is somebody else's.
"""
