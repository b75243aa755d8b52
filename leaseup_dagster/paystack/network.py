"""Which variable of the environment keeps every request from leaving. Pure: it is handed over."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def what_is_wrong(error: Exception, environment: Mapping[str, str]) -> str:
    """One sentence, without a value: a proxy's may hold a password."""

    def named(variables: Sequence[str], suspect: Callable[[str], bool]) -> str:
        """Those that are set, rather those among them that seem wrong."""
        found = {name: value for name, value in environment.items() if name.upper() in variables}
        wrong = [name for name, value in found.items() if suspect(value)]
        return " or ".join(sorted(wrong or found)) or "The environment"

    if isinstance(error, ImportError):
        names = named(_PROXIES, lambda value: value.lower().startswith("socks"))
        why = (
            "is a SOCKS proxy, for which a library is missing. Give an http:// proxy, or"
            " `pip install socksio`"
        )
    elif isinstance(error, OSError):  # TLS's errors are of this kind too: no certificate in it
        names = named(_CERTIFICATES, lambda value: not Path(value).exists())
        why = "must point to certificates that can be read. Correct it, or unset it"
    elif _has_range(environment):
        names = named(("NO_PROXY",), _is_ipv6_range)
        why = "holds a range of IPv6 addresses, which cannot be read. Take it out"
    else:
        set_ = any(name.upper() in _PROXIES for name in environment)
        names = named(_PROXIES if set_ else ("NO_PROXY",), _has_no_port)
        why = "cannot be read. A proxy is written http://host:port; in NO_PROXY are hosts"
    return f"{names}: {why}. Nothing was sent."


def _has_no_port(value: str) -> bool:
    try:
        return urlsplit(value).port is None
    except ValueError:
        return True


def _is_ipv6_range(value: str) -> bool:
    return any("/" in part and part.count(":") > 1 for part in value.split(","))


def _has_range(environment: Mapping[str, str]) -> bool:
    return any(
        name.upper() == "NO_PROXY" and _is_ipv6_range(value) for name, value in environment.items()
    )
