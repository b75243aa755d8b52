"""The page on which caught e-mails can be examined: a list, and each as a reader sees it."""

from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from leaseup_dagster.sandbox.loopback import Loopback
from leaseup_dagster.sandbox.smtp import SmtpStandIn

_PAGE = """<!doctype html><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<style>body{{font:16px sans-serif;margin:2em auto;max-width:40em}} td{{padding:.2em 1em .2em 0}}
</style><title>Mail</title><h1>Mail</h1><p>{count} caught.</p><table>{rows}</table>"""


class MailPage(Loopback):
    """`/mail` and `/mail/1`, the newest last."""

    def __init__(self, inbox: SmtpStandIn) -> None:
        routes = [Route("/mail", self._list), Route("/mail/{number:int}", self._one)]
        super().__init__(Starlette(routes=routes))
        self._inbox = inbox

    async def _list(self, _: Request) -> HTMLResponse:
        rows = "".join(
            f'<tr><td>{escape(message["To"])}<td><a href="/mail/{number}">'
            f"{escape(message['Subject'])}</a>"
            for number, message in enumerate(self._inbox.caught, start=1)
        )
        return HTMLResponse(_PAGE.format(count=len(self._inbox.caught), rows=rows))

    async def _one(self, request: Request) -> HTMLResponse:
        number = request.path_params["number"]
        if not 1 <= number <= len(self._inbox.caught):
            return HTMLResponse("There is no such mail.", status_code=404)
        body = self._inbox.caught[number - 1].get_body(("html",))
        return HTMLResponse(str(body.get_content()) if body else "")
