"""What a landlord is notified of, once: invoices, payments, arrears, leases that end, what is
wrong.

Comes in: LeaseUp's rows and what was notified before. Goes out: one e-mail a day to each who has
news. Never: a thing notified twice, a name or an address in an event.
"""
