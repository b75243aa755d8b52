"""LeaseUp's application over real HTTP, as far as Paystack sees it: the address of its webhook."""

from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from leaseup_dagster.sandbox.leaseup_webhook import receive
from leaseup_dagster.sandbox.loopback import Loopback

PATH = "/api/webhooks/paystack"


class LeaseUpApp(Loopback):
    """Writes what Paystack tells it into LeaseUp's tables; while it is stopped, nothing."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(Starlette(routes=[Route(PATH, self._webhook, methods=["POST"])]))
        self._engine = engine

    @property
    def webhook_url(self) -> str:
        return self.url + PATH

    async def _webhook(self, request: Request) -> Response:
        event = await request.json()

        def write() -> int:
            with self._engine.begin() as connection:
                return receive(connection, event)

        return Response(status_code=await run_in_threadpool(write))
