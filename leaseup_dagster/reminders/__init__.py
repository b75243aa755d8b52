"""Overdue invoices → texts, at most one for each invoice, tenant and step of the schedule.

Comes in: late invoices in LeaseUp's tables, what Paystack says of them, and a day. Goes out:
texts, payments found at Paystack, and a reason for everyone who was not texted.
Never: a text to somebody who has paid, nor one that was not first claimed in the ledger. Where
the outcome of a send cannot be known, we choose silence.
"""
