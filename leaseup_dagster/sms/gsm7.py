"""Text as a phone gets it: the GSM-7 alphabet, and how many messages a text costs. Pure."""

import hashlib
import unicodedata

_ALPHABET = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_TWO_SEPTETS = set("^{}\\[~]|€\f")
_LOOKALIKES = str.maketrans(
    {"\t": " ", "‘": "'", "’": "'", "´": "'", "`": "'", "“": '"', "”": '"',
     "–": "-", "—": "-", "‑": "-", "−": "-", "•": "-", "…": "..."}
)  # fmt: skip


def to_gsm7(text: str) -> str:
    """`text` with the nearest GSM-7 characters: Zoë becomes Zoe, emoji go, 李 stays.

    Done here and not by the provider, so that the text we search for is the text that was sent.
    """
    plain = unicodedata.normalize("NFC", text).translate(_LOOKALIKES)
    return "".join(map(_nearest, plain))


def _nearest(character: str) -> str:
    if character in _ALPHABET or character in _TWO_SEPTETS:
        return character
    kind = unicodedata.category(character)
    if kind == "Zs":
        return " "
    if kind[0] != "L" and kind != "Nd":
        return ""
    parts = unicodedata.normalize("NFKD", character)
    return "".join(part for part in parts if part in _ALPHABET) or character


def segments(text: str) -> int:
    """How many messages a provider makes of `text`, and charges for."""
    if set(text) <= _ALPHABET | _TWO_SEPTETS:
        sizes, alone, chained = [1 + (c in _TWO_SEPTETS) for c in text], 160, 153
    else:  # UCS-2: one foreign character more than halves what fits
        sizes, alone, chained = [len(c.encode("utf-16-be")) // 2 for c in text], 70, 67
    if sum(sizes) <= alone:
        return 1
    count, left = 1, chained
    for size in sizes:
        if size > left:
            count, left = count + 1, chained
        left -= size
    return count


def fingerprint(text: str) -> str:
    """What is kept of a text to find it again by; the text itself is kept nowhere."""
    return hashlib.sha256(text.encode()).hexdigest()
