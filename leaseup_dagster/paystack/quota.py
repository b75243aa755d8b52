"""The interface through which the client asks when it may call an endpoint."""

from typing import Protocol


class Quota(Protocol):
    """Who may call when, agreed among all workers that share one Paystack integration.

    An endpoint is a method and a path template, such as "POST /paymentrequest": Paystack counts
    each of them on its own.
    """

    def reserve(self, endpoint: str) -> float:
        """Take the next free slot of the endpoint; the seconds to wait until it."""

    def give_back(self, endpoint: str) -> None:
        """A reserved slot is not going to be used."""

    def learn(self, endpoint: str, requests_per_minute: int) -> None:
        """Paystack has reported how many requests a minute the endpoint takes."""

    def pause(self, endpoint: str, seconds: float) -> None:
        """Nobody calls the endpoint for that long from now."""
