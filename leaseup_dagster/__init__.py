"""Bills and collects overdue rent for LeaseUp, on Dagster.

Comes in: leases, tenants and invoices in LeaseUp's PostgreSQL. Goes out: Paystack payment
requests, invoice rows and text messages. Never: a second bill for one month of one lease.
"""
