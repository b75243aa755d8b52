"""The pages on which a person pays in the sandbox: what is open, and one request with a button."""

from html import escape
from typing import TYPE_CHECKING

from leaseup_dagster.money import format_rands
from leaseup_dagster.sandbox.faults import Reply
from leaseup_dagster.sandbox.paystack_books import StoredPaymentRequest

if TYPE_CHECKING:
    from leaseup_dagster.sandbox.paystack import PaystackStandIn

_PAGE = """<!doctype html><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<style>body{{font:16px sans-serif;margin:2em auto;max-width:40em}} td{{padding:.2em 1em .2em 0}}
</style><title>{title}</title><h1>{title}</h1>{body}"""


def answer(paystack: "PaystackStandIn", method: str, code: str) -> Reply:
    """`GET /pay`: all that is open; `GET /pay/{code}`: one of them; `POST /pay/{code}`: paid."""
    if not code:
        return _html(200, "Payment requests", _list(paystack.payment_requests))
    found = [r for r in paystack.payment_requests if r.request_code == code]
    if not found or found[0].archived:
        return _html(404, "There is no such payment request", "<p>It may have been archived.</p>")
    if method == "POST" and not found[0].paid:
        paystack.pay(code)
    return _html(200, escape(found[0].description or code), _one(found[0]))


def _list(requests: list[StoredPaymentRequest]) -> str:
    open_ = [r for r in requests if not r.paid and not r.archived]
    rows = "".join(
        f'<tr><td><a href="/pay/{r.request_code}">{r.request_code}</a>'
        f"<td>{format_rands(r.amount)}<td>{escape(r.description or '')}"
        for r in open_
    )
    return f"<p>{len(open_)} can be paid.</p><table>{rows}</table>"


def _one(request: StoredPaymentRequest) -> str:
    if request.paid:
        return f"<p>{format_rands(request.amount)} was paid.</p><p><a href='/pay'>All</a></p>"
    left = format_rands(request.amount - request.amount_paid)
    return f"<form method='post'><p>{left} is due.</p><button>Pay {left}</button></form>"


def _html(status: int, title: str, body: str) -> Reply:
    page = _PAGE.format(title=title, body=body).encode()
    return Reply(status, page, {"content-type": "text/html; charset=utf-8"})
