"""AWS SNS over real HTTP: moto for what works, a scripted server for what does not."""

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest
from moto.server import ThreadedMotoServer
from starlette.requests import Request
from starlette.responses import Response

from leaseup_dagster.sandbox.faults import Ending, Reply
from leaseup_dagster.sandbox.loopback import Loopback
from leaseup_dagster.settings import SettingsError
from leaseup_dagster.sms.sender import AccountProblem, NotSent, NumberRefused, Sent, Unknown
from leaseup_dagster.sms.sns import SnsSender

NUMBER = "+27821234567"
TEXT = "Rent of R8 500.00 was due."


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def moto(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    httpx.post(f"{moto_url}/moto-api/reset")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", moto_url)
    return moto_url


class Scripted(Loopback):
    """Lets the opt-out question pass, and answers every publish with `ending`."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(self._serve)
        self.ending = ending
        self.publishes = 0
        self.answer_about_opt_out: Ending = _xml(
            200, "<CheckIfPhoneNumberIsOptedOutResponse><CheckIfPhoneNumberIsOptedOutResult>"
            "<isOptedOut>false</isOptedOut></CheckIfPhoneNumberIsOptedOutResult>"
            "</CheckIfPhoneNumberIsOptedOutResponse>",
        )  # fmt: skip

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await Request(scope, receive).body()).decode()
        asked = "Action=Publish" not in body
        self.publishes += not asked
        ending = self.answer_about_opt_out if asked else self.ending
        if isinstance(ending, Reply):
            reply = Response(ending.body, ending.status, dict(ending.headers))
            await reply(scope, receive, send)
        else:
            self.cut(scope, reset=ending == "reset")


def _xml(status: int, body: str) -> Reply:
    return Reply(status, body.encode(), {"content-type": "text/xml"})


def refusal(status: int, code: str) -> Reply:
    said = f"Invalid parameter: PhoneNumber Reason: {NUMBER} is not valid to publish to"
    return _xml(
        status, f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
        f"<Message>{said}</Message></Error><RequestId>1</RequestId></ErrorResponse>",
    )  # fmt: skip


def a_sender(**changed: str) -> SnsSender:
    given = {"region": "us-east-1", "key": "key", "secret": "secret", "from_number": ""}
    return SnsSender(**(given | changed))


def send(sender: SnsSender, number: str = NUMBER) -> object:
    outcome = sender.send(number, TEXT, valid_seconds=60)
    sender.close()
    return outcome


After = Callable[[Ending], tuple[object, int]]


@pytest.fixture(scope="module")
def after() -> Iterator[After]:
    """What is known when SNS answers a publish like this, and how many publishes it took."""
    with Scripted("cut") as server, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL_SNS", server.url)
        sender = a_sender()

        def answered(ending: Ending) -> tuple[object, int]:
            server.ending, server.publishes = ending, 0
            return sender.send(NUMBER, TEXT, valid_seconds=60), server.publishes

        yield answered
        sender.close()


def test_an_accepted_text_is_sent_with_its_id(moto: str) -> None:
    outcome = send(a_sender())

    (stored,) = httpx.get(f"{moto}/moto-api/data.json").json()["sns"]["SMS"]
    assert isinstance(outcome, Sent)
    assert stored["phone_number"] == NUMBER
    assert stored["message"] == TEXT
    assert stored["message_id"] == outcome.message_id


def test_who_opted_out_is_refused_and_nothing_is_published(moto: str) -> None:
    outcome = send(a_sender(), "+27821234599")

    assert isinstance(outcome, NumberRefused)
    assert outcome.listed
    assert not httpx.get(f"{moto}/moto-api/data.json").json()["sns"].get("SMS")


def test_keys_may_come_from_the_default_chain(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "role")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    assert isinstance(send(a_sender(key="", secret="")), Sent)


def test_without_any_keys_the_run_stops_at_its_start(
    moto: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(SettingsError, match="SMS configuration missing: SMS_API_KEY"):
        a_sender(key="", secret="")


def test_a_profile_that_is_not_there_stops_the_run_at_its_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(SettingsError, match="ProfileNotFound"):
        a_sender()


@pytest.mark.parametrize(
    ("from_number", "attribute"),
    [
        ("+27600000000", "AWS.MM.SMS.OriginationNumber"),
        ("LeaseUp", "AWS.SNS.SMS.SenderID"),
    ],
)
def test_the_sender_is_a_number_or_a_name(from_number: str, attribute: str) -> None:
    sender = a_sender(from_number=from_number)

    assert sender._attributes[attribute]["StringValue"] == from_number
    assert sender._attributes["AWS.SNS.SMS.SMSType"]["StringValue"] == "Transactional"
    sender.close()


@pytest.mark.parametrize(
    "ending",
    [
        "cut",
        "reset",
        refusal(500, "InternalError"),
        Reply.html(502),
        Reply.html(200),
        _xml(200, ""),
        _xml(200, "<PublishResponse><PublishResult>"),
        Reply(302, b"", {"location": "http://127.0.0.1:1"}),
    ],
)
def test_what_is_not_proven_is_unknown_and_is_not_repeated(ending, after) -> None:
    outcome, publishes = after(ending)

    assert isinstance(outcome, Unknown)
    assert publishes == 1


@pytest.mark.parametrize("code", ["Throttling", "ThrottlingException"])
def test_throttling_is_not_sent(code: str, after: After) -> None:
    assert isinstance(after(refusal(400, code))[0], NotSent)


def test_throttling_with_its_own_status_is_not_sent(after) -> None:
    assert isinstance(after(refusal(429, "Throttled"))[0], NotSent)


@pytest.mark.parametrize(
    "code", ["AuthorizationError", "InvalidClientTokenId", "SignatureDoesNotMatch"]
)
def test_keys_that_are_not_let_in_are_an_account_problem(code: str, after: After) -> None:
    assert isinstance(after(refusal(403, code))[0], AccountProblem)


@pytest.mark.parametrize(
    ("code", "listed"),
    [("OptedOut", True), ("InvalidParameter", False), ("ParameterValueInvalid", False)],
)
def test_a_refusal_is_of_the_number(code: str, listed: bool, after: After) -> None:
    outcome, _ = after(refusal(400, code))

    assert outcome == NumberRefused(f"AWS SNS error 400 ({code})", code, listed=listed)


def test_no_connection_is_not_sent(monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", "http://127.0.0.1:9")

    assert isinstance(send(a_sender()), NotSent)


@pytest.mark.parametrize("ending", ["cut", Reply.html(200)])
def test_an_opt_out_question_without_an_answer_publishes_nothing(ending, monkeypatch) -> None:
    with Scripted(_xml(200, "")) as server:
        server.answer_about_opt_out = ending
        monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", server.url)

        assert isinstance(send(a_sender()), NotSent)
        assert server.publishes == 0


def test_a_role_that_may_not_ask_publishes_all_the_same(monkeypatch) -> None:
    with Scripted(refusal(429, "Throttled")) as server:
        server.answer_about_opt_out = refusal(403, "AuthorizationError")
        monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", server.url)
        send(a_sender())

        assert server.publishes == 1


def test_a_lost_text_cannot_be_looked_up() -> None:
    sender = a_sender()

    assert isinstance(sender.look_up(NUMBER, "0", datetime.now(tz=timezone.utc)), Unknown)
    sender.close()
