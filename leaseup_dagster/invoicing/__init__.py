"""Leases → invoices, exactly once for each lease and due date.

Comes in: leases, tenants and invoices in LeaseUp's tables, and a day. Goes out: one Paystack
payment request and one invoice row for each due month, and a reason for every lease without.
Never: a request that was not first claimed in the ledger.
"""
