"""Stand-ins for the outside world on loopback, for the demo and the tests.

They speak each provider's real protocol over real sockets, so the product cannot tell them from
production. The product never imports anything from here.
"""
