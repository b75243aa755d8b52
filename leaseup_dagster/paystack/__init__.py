"""Paystack over HTTP: checked requests go in; checked answers come out, or errors by what is known.

It never retries, never waits longer than its quota says, and never writes an e-mail address, a
phone number or a key into an error or a log.
"""
