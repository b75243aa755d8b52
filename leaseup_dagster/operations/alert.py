"""The alerts for operators, in words. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LONGEST_TEXT = 300
_LONGEST_REASON = 600
_CLASS_IN_FRONT = re.compile(r"^[\w.]+(Error|Failure|Exception|Interrupt\w*): ")


@dataclass(frozen=True)
class Alert:
    """`subject` says it in a line, `body` in some more; `link` is where to read more."""

    subject: str
    body: str
    link: str

    def as_text_message(self) -> str:
        """At most three messages long: who is woken by it opens the link."""
        space = _LONGEST_TEXT - len(self.link) - 1
        said = " ".join(f"LeaseUp: {self.subject}. {self.body}".split())
        return f"{_shortened(said, space)} {self.link}"


def in_short(reasons: Sequence[str]) -> str:
    """What a person reads last of a run that failed: each reason once, without its class."""
    said = (_CLASS_IN_FRONT.sub("", reason.strip(), count=1) for reason in reasons)
    return "\n".join(["Why the run failed, and what to do:", *dict.fromkeys(said)])


def failed_run(job: str, run_id: str, reasons: Sequence[str], ui_url: str) -> Alert:
    """A run has failed; `reasons` are the messages of the steps that did."""
    first = _plain(reasons[0]) if reasons else "its process died, or it never began"
    more = f" (and {len(reasons) - 1} more steps)" if len(reasons) > 1 else ""
    return Alert(
        subject=f"{job} failed",
        body=f"Run {run_id[:8]}: {_shortened(first, _LONGEST_REASON)}{more}",
        link=f"{ui_url.rstrip('/')}/runs/{run_id}",
    )


def silence(job: str, hours: int, last_success: str, failed: int, ui_url: str) -> Alert:
    """Nothing has gone wrong loudly, but a job that should have succeeded has not."""
    tried = f"{failed} of its runs failed since" if failed else "none of its runs failed since"
    return Alert(
        subject=f"{job} has not succeeded for more than {hours} hours",
        body=f"Its last success: {last_success}; {tried}. Check whether its schedule is on and the"
        " daemon runs, then launch it: what is billed already stays billed once.",
        link=f"{ui_url.rstrip('/')}/automation",
    )


def _plain(reason: str) -> str:
    """An error's message on one line, as a person says it: without the class it is of."""
    return _CLASS_IN_FRONT.sub("", " ".join(reason.split())) or "no reason was given"


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3].rstrip()}..."
