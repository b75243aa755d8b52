"""Files for the bookkeeper: rows of LeaseUp's books as CSV or JSON, streamed.

Comes in: days and a landlord. Goes out: lines. Never: a name, a phone number, an e-mail address.
"""
