"""What is wrong with an e-mail address, as far as can be seen without asking anybody. Pure.

Only what no provider would take. Whether the mailbox exists is for Paystack to find out.
"""

import unicodedata

_LONGEST = 254
_FORBIDDEN = set('<>()[]\\",;:')


def what_is_wrong(typed: str) -> str | None:
    """A reason that does not quote the address; None if Paystack may be asked.

    Blanks around the address do not count: they are removed before it is sent.
    """
    address = typed.strip()
    if not address:
        return "the field is empty"
    if address.count("@") > 1:
        return "there is more than one address in the field"
    if any(unicodedata.category(character)[0] in "CZ" for character in address):
        return "there is a blank or an invisible character in it"
    if _FORBIDDEN & set(address):
        return "there is a character in it that no address has, such as a bracket or a comma"
    if len(address) > _LONGEST:
        return f"it is longer than {_LONGEST} characters"
    return _wrong_with_parts(address)


def _wrong_with_parts(address: str) -> str | None:
    if "@" not in address:
        return "it has no @"
    name, domain = address.split("@")
    if not name:
        return "nothing stands before the @"
    labels = domain.split(".")
    if len(labels) < 2 or not all(labels):
        return "what stands after the @ is no complete domain, such as example.com"
    return None
