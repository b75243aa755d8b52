"""Twilio over real HTTP: every answer, and every silence, becomes what is known."""

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from leaseup_dagster.sandbox.faults import Fault, Reply
from leaseup_dagster.sandbox.twilio import ACCOUNT, LIST, SEND, TOKEN, TwilioStandIn, error
from leaseup_dagster.sms.gsm7 import fingerprint
from leaseup_dagster.sms.sender import AccountProblem, NotSent, NumberRefused, Sent, Unknown
from leaseup_dagster.sms.twilio import TwilioSender

NUMBER = "+27821234567"
TEXT = "Rent of R8 500.00 was due."
BEFORE = datetime.now(tz=timezone.utc) - timedelta(minutes=1)


@pytest.fixture
def twilio() -> Iterator[TwilioStandIn]:
    with TwilioStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def sender(twilio: TwilioStandIn) -> Iterator[TwilioSender]:
    opened = sender_at(twilio.url)
    yield opened
    opened.close()


def sender_at(url: str, **changed: str) -> TwilioSender:
    given = {"account_sid": ACCOUNT, "username": ACCOUNT, "secret": TOKEN, "from_number": "LeaseUp"}
    return TwilioSender(base_url=url, **(given | changed))


def send(sender: TwilioSender, number: str = NUMBER):
    return sender.send(number, TEXT, valid_seconds=3600)


def test_an_accepted_text_is_sent_with_its_id(sender, twilio) -> None:
    outcome = send(sender)

    assert outcome == Sent(twilio.messages[0].sid)
    assert twilio.requests_to(SEND) == [
        {"To": NUMBER, "Body": TEXT, "From": "LeaseUp", "ValidityPeriod": "3600"}
    ]


def test_ten_texts_use_one_connection(sender, twilio) -> None:
    for _ in range(10):
        send(sender)

    assert twilio.connections == 1


def test_an_api_key_texts_for_its_account(twilio) -> None:
    twilio.keys = {"SK1": "its secret"}
    sender = sender_at(twilio.url, username="SK1", secret="its secret")

    assert isinstance(send(sender), Sent)
    sender.close()


def test_a_messaging_service_is_named_as_such(twilio) -> None:
    sender = sender_at(twilio.url, from_number="MG" + "1" * 32)
    send(sender)
    sender.close()

    assert twilio.requests_to(SEND)[0]["MessagingServiceSid"] == "MG" + "1" * 32


def test_a_base_url_may_have_a_path(twilio) -> None:
    sender = sender_at(f"{twilio.url}/gateway/")

    assert isinstance(send(sender), Sent)
    sender.close()


@pytest.mark.parametrize(
    "fault",
    [
        Fault.drop_after_accepting(),
        Fault.drop_after_accepting(reset=True),
        Fault.cut_within_the_answer(),
        Fault.answer(Reply.html(201), accepted=True),
        Fault.answer(Reply.of(201, {}), accepted=True),
        Fault.truncated(),
        Fault.answer(error(500, 20500)),
        Fault.answer(Reply.html(502)),
        Fault.answer(error(503, 20503), accepted=True),
        Fault.answer(Reply.html(408)),
    ],
)
def test_what_is_not_proven_is_unknown_and_is_not_repeated(sender, twilio, fault) -> None:
    twilio.faults.on(SEND, fault)

    assert isinstance(send(sender), Unknown)
    assert len(twilio.requests_to(SEND)) == 1


def test_silence_is_unknown(sender, twilio) -> None:
    sender._http.timeout = (1, 0.2)
    twilio.faults.on(SEND, Fault.hang_after_accepting())

    assert isinstance(send(sender), Unknown)


@pytest.mark.parametrize("code", [21211, 21217, 21265, 21610, 21614, 21635])
def test_a_listed_code_refuses_the_number(sender, twilio, code) -> None:
    twilio.refuse(NUMBER, code)

    assert send(sender) == NumberRefused(f"Twilio error 400 ({code})", str(code))


def test_an_unlisted_refusal_says_so(sender, twilio) -> None:
    twilio.refuse(NUMBER, 29999)

    outcome = send(sender)

    assert outcome == NumberRefused("Twilio error 400 (29999)", "29999", listed=False)


@pytest.mark.parametrize("code", [21408, 21612])
def test_a_country_that_is_switched_off_is_an_account_problem_at_home_only(
    sender, twilio, code
) -> None:
    abroad = "+447911123456"
    for number in (NUMBER, abroad):
        twilio.refuse(number, code)

    assert isinstance(send(sender), AccountProblem)
    assert send(sender, abroad) == NumberRefused(f"Twilio error 400 ({code})", str(code))


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        (error(401, 20003), "SMS_API_KEY"),
        (error(403, 20403), "suspended"),
        (error(404, 20404), "TWILIO_BASE_URL"),
        (Reply(302, b"", {"location": "https://elsewhere.example"}), "TWILIO_BASE_URL"),
        (error(400, 21606), "SMS_FROM_NUMBER"),
        (error(400, 21608), "trial"),
        (error(429, 63038), "daily limit"),
        (error(400, 21617), "REMINDER_TEMPLATE"),
    ],
)
def test_an_account_problem_says_what_to_look_at(sender, twilio, reply, named) -> None:
    twilio.faults.on(SEND, Fault.answer(reply))

    outcome = send(sender)

    assert isinstance(outcome, AccountProblem)
    assert named in outcome.why


def test_problem_details_are_read_too(sender, twilio) -> None:
    details = {"type": "about:blank", "title": "Bad", "status": 400, "code": 21610}
    twilio.faults.on(SEND, Fault.answer(Reply.of(400, details)))

    assert send(sender) == NumberRefused("Twilio error 400 (21610)", "21610")


@pytest.mark.parametrize("reply", [error(429, 20429), error(400, 21611), Reply.html(429)])
def test_too_much_at_once_is_not_sent(sender, twilio, reply) -> None:
    twilio.faults.on(SEND, Fault.answer(reply))

    assert isinstance(send(sender), NotSent)
    assert isinstance(send(sender), Sent)


def test_asked_to_wait_nothing_leaves_until_then(sender, twilio) -> None:
    twilio.faults.on(SEND, Fault.answer(error(429, 20429, Retry_After="30")))
    send(sender)

    outcome = send(sender)

    assert isinstance(outcome, NotSent)
    assert outcome.retry_after_seconds == pytest.approx(30, abs=2)
    assert len(twilio.requests_to(SEND)) == 1


def test_no_connection_is_not_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        sender = sender_at(f"http://127.0.0.1:{unused.getsockname()[1]}")

        assert isinstance(send(sender), NotSent)
        sender.close()


def test_a_host_that_does_not_exist_is_not_sent() -> None:
    sender = sender_at("http://twilio.invalid")

    assert isinstance(send(sender), NotSent)
    sender.close()


def test_a_port_without_tls_is_an_account_problem(twilio) -> None:
    sender = sender_at(twilio.url.replace("http:", "https:"))

    assert isinstance(send(sender), AccountProblem)
    sender.close()


def test_a_certificate_nobody_trusts_is_an_account_problem(untrusted_url: str) -> None:
    sender = sender_at(untrusted_url)

    assert isinstance(send(sender), AccountProblem)
    sender.close()


def test_a_lost_text_is_found_by_number_and_text(sender, twilio) -> None:
    twilio.faults.on(SEND, Fault.drop_after_accepting())
    send(sender)
    sender.send(NUMBER, "Another text", valid_seconds=60)

    outcome = sender.look_up(NUMBER, fingerprint(TEXT), BEFORE)

    assert outcome == Sent(twilio.messages[0].sid)


def test_a_text_of_an_earlier_attempt_is_not_the_one(sender) -> None:
    send(sender)
    later = datetime.now(tz=timezone.utc) + timedelta(minutes=5)

    assert isinstance(sender.look_up(NUMBER, fingerprint(TEXT), later), Unknown)


def test_a_text_missing_from_the_list_stays_unknown(sender, twilio) -> None:
    twilio.hide_new = 1
    send(sender)

    assert isinstance(sender.look_up(NUMBER, fingerprint(TEXT), BEFORE), Unknown)
    assert isinstance(sender.look_up(NUMBER, fingerprint(TEXT), BEFORE), Sent)


@pytest.mark.parametrize("status", ["failed", "undelivered", "canceled"])
def test_a_text_that_failed_later_refuses_the_number(sender, twilio, status) -> None:
    send(sender)
    twilio.messages[0].status, twilio.messages[0].error_code = status, 30006

    outcome = sender.look_up(NUMBER, fingerprint(TEXT), BEFORE)

    assert isinstance(outcome, NumberRefused)
    assert outcome.code == "30006"


@pytest.mark.parametrize(
    "fault",
    [Fault.answer(error(403, 20008)), Fault.drop_before_accepting(), Fault.answer(Reply.html(200))],
)
def test_a_look_up_that_fails_proves_nothing(sender, twilio, fault) -> None:
    twilio.faults.on(LIST, fault)

    assert isinstance(sender.look_up(NUMBER, fingerprint(TEXT), BEFORE), Unknown)


def test_neither_number_nor_text_reaches_a_log_or_an_outcome(sender, twilio, caplog) -> None:
    caplog.set_level(logging.INFO)
    twilio.refuse(NUMBER, 21211)
    outcomes = [send(sender)]
    twilio.faults.on(SEND, Fault.drop_after_accepting())
    outcomes += [send(sender), sender.look_up(NUMBER, fingerprint(TEXT), BEFORE)]

    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("uvicorn")]
    shown = "".join([*ours, *map(repr, outcomes)])

    assert NUMBER not in shown
    assert NUMBER[1:] not in shown
    assert "8 500" not in shown


@pytest.fixture
def untrusted_url(tmp_path: Path) -> Iterator[str]:
    """A server whose certificate it signed itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path))
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with contextlib.suppress(OSError), connection:
            context.wrap_socket(connection, server_side=True).close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"https://127.0.0.1:{server.getsockname()[1]}"
    thread.join()
    server.close()


def _self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.now(tz=timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = folder / "self-signed.pem"
    path.write_bytes(key.private_bytes(pem, *plain) + certificate.public_bytes(pem))
    return path
