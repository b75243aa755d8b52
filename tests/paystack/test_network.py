"""Proxies and certificates of the environment that cannot be used: named, and nothing leaves."""

import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.conftest import Run
from tests.invoicing.test_jobs import failure_of
from tests.recording.conftest import CHECK, Command, Due, command, due  # noqa: F401 - fixtures

WRONG = {
    "NO_PROXY": ("127.0.0.1,fd00::/8", "holds a range of IPv6 addresses"),
    "HTTPS_PROXY": ("socks5://user:canarysecret@127.0.0.1:9", "is a SOCKS proxy"),
    "SSL_CERT_FILE": ("/nowhere/authority.pem", "must point to certificates that can be read"),
    "HTTP_PROXY": ("http://127.0.0.1:canarysecret", "cannot be read"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_variable_is_named_by_the_run_and_by_check(
    name: str, run: Run, due: Due, command: Command, settings: pytest.MonkeyPatch,  # noqa: F811
    paystack: PaystackStandIn, connection: Connection,
) -> None:  # fmt: skip
    due(3)
    value, why = WRONG[name]
    settings.setenv(name, value)

    code, checked = command("check", "--ask-paystack")
    result = run(*CHECK)

    assert (code, result.success, paystack.requests) == (1, False, [])
    for said in (checked, failure_of(result)):
        assert f"{name}: {why}" in said
        assert "canarysecret" not in said
    assert "\n1 of 10 wrong: " in checked
    states = text("SELECT DISTINCT state FROM leaseup_dagster.invoice_ledger")
    assert connection.execute(states).scalars().all() == ["planned"]
