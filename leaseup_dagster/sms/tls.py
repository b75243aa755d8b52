"""Whether an error of an HTTP library is a TLS handshake that failed: nothing had left then."""

import ssl

_WRONG_PROTOCOL = {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "UNSUPPORTED_PROTOCOL"}


def handshake_failed(error: BaseException | None) -> bool:
    """A refused certificate, or a port that does not speak TLS; other TLS errors may come late."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        if isinstance(error, ssl.SSLError) and error.reason in _WRONG_PROTOCOL:
            return True
        error = error.__cause__ or error.__context__
    return False
