"""Keep a server's own file as the form of an item, and convert it only when it has to be compared with something else.

On a first run nothing is compared: the file goes to the disk as it is. Until one side changes, the file stands for the normal form,
and the digest of its octets for the digest of what it means. Only plain files may wait (`plain_files`).
"""

from __future__ import annotations

import hashlib

from jmapsync.formats.objects import MalformedError, encode

_MARK = "file:"
"""How the digest of an unconverted file begins; that of what an object means is hexadecimal."""
_BEGIN = b"BEGIN:"
"""How an unconverted file begins; a normal form is JSON."""


def digest_of(file: bytes) -> str:
    """Return the digest by which a version says which unconverted file it stands for."""
    return _MARK + hashlib.blake2b(file, digest_size=16).hexdigest()


def is_unconverted(body: str) -> bool:
    """Return whether the body of a version is the digest of an unconverted file."""
    return body.startswith(_MARK)


def is_file(content: bytes) -> bool:
    """Return whether what is kept of an item is an unconverted file and not its normal form."""
    return content.startswith(_BEGIN)


def convert(file: bytes) -> tuple[bytes, str]:
    """Return the normal form of a file and the digest of what it means. Raises MalformedError."""
    from jmapsync.formats import canonical  # noqa: PLC0415  # a run in which nothing changed compares nothing
    from jmapsync.formats.codec import cards, schedules  # noqa: PLC0415  # as above

    codec = cards("3.0") if file.startswith(b"BEGIN:VCARD") else schedules("Event")
    try:
        item = codec.read(file)
    except MalformedError:
        raise
    except Exception as error:  # a fault of ours in one file must not hold up the others
        raise MalformedError(f"a fault in jmapsync keeps it from being read ({type(error).__name__}: {error})") from error
    return encode(item), canonical.sense(item)


def normal_form(content: bytes) -> bytes:
    """Return the normal form of what is kept of an item."""
    return _known_form(content)[0] if is_file(content) else content


def sense_of(file: bytes) -> str:
    """Return the digest of what a file that is kept means."""
    return _known_form(file)[1]


def _known_form(file: bytes) -> tuple[bytes, str]:
    """Return the same as `convert`.

    Of a file that cannot be converted after all only the uid is known: all that the other form of it says counts as new, and
    nothing as taken away.
    """
    try:
        return convert(file)
    except MalformedError:
        from jmapsync.formats.plain_files import uid_of  # noqa: PLC0415  # such a file is not known to exist

        return encode({"uid": uid_of(file)}), digest_of(file)
