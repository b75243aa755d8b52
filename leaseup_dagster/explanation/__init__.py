"""One lease's whole timeline, for a person who asks why it was billed, or texted, or not.

Comes in: a lease's id and a day. Goes out: the eligibility of the plan, everything the ledgers and
LeaseUp's tables hold about the lease, and what happens next and when.
Never: a write, a text, or anything of a person but ids and masked numbers.
"""
