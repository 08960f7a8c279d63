"""Pickles that no program writes: few bytes, whose content is deep or endless."""

from __future__ import annotations

_START = b"\x80\x02"


def tuples(depth: int) -> bytes:
    """A tuple in a tuple in a tuple."""
    return b")" + b"\x85" * (depth - 1)


def lists(depth: int) -> bytes:
    return b"]" * depth + b"a" * (depth - 1)


def doubled_tuple(times: int) -> bytes:
    """A tuple that holds one twice that holds one twice: 2 to the power of ``times`` (below 256)."""
    return b")" + b"".join(b"q%ch%c\x86" % (number, number) for number in range(times))


def keyed(key: bytes) -> bytes:
    """A mapping with that key, of which Python makes a hash."""
    return _START + b"}" + key + b"K\x01s."


def storage_named(name: bytes) -> bytes:
    """A tensor's storage with that name, which torch looks up among those it has."""
    kind, device = b"X\x07\x00\x00\x00storagectorch\nFloatStorage\n", b"X\x03\x00\x00\x00cpu"
    return _START + b"(" + kind + name + device + b"K\x01tQ."
