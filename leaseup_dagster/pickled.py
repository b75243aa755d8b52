"""The names under which step outputs are pickled. No I/O.

A step's output outlives a release: *From failure* reads it for 30 days, and a worker may still be
the release before. So a class that has moved or got a better name is pickled under the name by
which the release that introduced it knew it, and that name goes on leading to it.
"""

from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def pickled_as(name: str) -> Callable[[type[Value]], type[Value]]:
    """Decorate a class that is pickled under another name, `module.Class`, than it has now.

    That module must exist and hold the class under that name. Its fields must stay as they are, or
    be added with a default.
    """
    module, _, qualified = name.rpartition(".")

    def named(value: type[Value]) -> type[Value]:
        value.__module__, value.__qualname__ = module, qualified
        return value

    return named
