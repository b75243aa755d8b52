"""E-mails through a server that speaks SMTP.

Comes in: a message and one address. Goes out: an outcome. Never: a message sent twice, an address
in an error.
"""
