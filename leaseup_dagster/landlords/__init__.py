"""What a landlord is told, once: invoices, payments, arrears, leases that end, what is wrong.

Comes in: LeaseUp's rows and what was told before. Goes out: one e-mail a day to each who has news.
Never: a thing told twice, a name or an address in an event.
"""
