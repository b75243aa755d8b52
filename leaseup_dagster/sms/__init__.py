"""Text messages: a number and a text go in, what is known afterwards comes out.

One interface, two providers. Nothing here knows a lease or an invoice, and nothing here ever
sends a text a second time.
"""
