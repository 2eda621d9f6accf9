# SPDX-License-Identifier: Apache-2.0
"""A tar writer that writes what it is told, which Python's tarfile does not: names that are no UTF-8,
times with nanoseconds on both sides of 1970, attributes of any bytes, sparse files, and, for enemies,
every field of a header as raw bytes."""

BLOCK = 512
FILE, HARD, SYMLINK, CHAR, BLOCKDEV, DIR, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
END = bytes(2 * BLOCK)


def padding(size):
    return bytes(-size % BLOCK)


def octal(value, width):
    return b"%0*o\0" % (width - 1, value)


def number(value, width):
    """As octal digits when they fit, else base-256 as GNU writes it (negative ones too)."""
    if 0 <= value < 8 ** (width - 1):
        return octal(value, width)
    bits = 8 * width
    return ((value if value >= 0 else value + (1 << bits)) | 1 << (bits - 1)).to_bytes(width + 1, "big")[-width:]


def header(name, kind=FILE, size=0, mode=0o644, uid=0, gid=0, mtime=0, link=b"", major=0, minor=0, magic=b"ustar\x0000",
           prefix=b"", uname=b"", gname=b"", checksum=None, **raw):
    """One block. RAW replaces a field ("size_raw": bytes of its width) after all others are laid out."""
    fields = {"name": (name[:100], 100), "mode": (octal(mode, 8), 8), "uid": (number(uid, 8), 8),
              "gid": (number(gid, 8), 8),
              "size": (number(size, 12), 12), "mtime": (number(mtime, 12), 12), "checksum": (b" " * 8, 8),
              "kind": (kind, 1),
              "link": (link[:100], 100), "magic": (magic, 8), "uname": (uname, 32), "gname": (gname, 32),
              "major": (number(major, 8), 8), "minor": (number(minor, 8), 8), "prefix": (prefix[:155], 155)}
    for key, value in raw.items():
        key = key.removesuffix("_raw")
        fields[key] = (value, fields[key][1])
    block = b"".join(value[:width].ljust(width, b"\0") for value, width in fields.values()).ljust(BLOCK, b"\0")
    total = sum(block) if checksum is None else checksum
    return block[:148] + b"%06o\0 " % total + block[156:]


def record(key, value):
    """One line of a pax header, whose length counts its own digits."""
    body = b" " + key + b"=" + value + b"\n"
    length = len(body)
    while len(b"%d" % length) + len(body) != length:
        length = len(b"%d" % length) + len(body)
    return b"%d" % length + body


def pax(records, kind=b"x", name=b"PaxHeaders/x"):
    body = records if isinstance(records, bytes) else b"".join(record(k, v) for k, v in records)
    return header(name, kind, len(body)) + body + padding(len(body))


def seconds(ns):
    """A time as pax writes it; the fraction of one before 1970 still counts downwards from zero."""
    sign, ns = (b"-", -ns) if ns < 0 else (b"", ns)
    whole, part = divmod(ns, 10**9)
    return sign + b"%d" % whole + (b".%09d" % part if part else b"")


def member(name, kind=FILE, data=b"", mode=0o644, uid=0, gid=0, mtime_ns=0, link=b"", rdev=(0, 0), xattrs=None,
           extents=None, size=0):
    """An honest member: ustar where it suffices, pax records for the rest. With EXTENTS, a list of (offset,
    bytes), it is a sparse file of SIZE bytes (GNU.sparse 1.0)."""
    records, stored = [], name
    if extents is not None:
        table = b"%d\n" % len(extents) + b"".join(b"%d\n%d\n" % (at, len(piece)) for at, piece in extents)
        data = table + padding(len(table)) + b"".join(piece for _, piece in extents)
        records += [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", name),
                    (b"GNU.sparse.realsize", b"%d" % size)]
        stored = b"GNUSparseFile.0/sparse"
    elif len(name) > 100 or not name.isascii():
        records.append((b"path", name))
    if len(link) > 100 or not link.isascii():
        records.append((b"linkpath", link))
    for key, value in ((b"uid", uid), (b"gid", gid)):
        if value >= 8 ** 7:
            records.append((key, b"%d" % value))
    if mtime_ns < 0 or mtime_ns % 10**9 or mtime_ns // 10**9 >= 8 ** 11:
        records.append((b"mtime", seconds(mtime_ns)))
    records += [(b"SCHILY.xattr." + key, value) for key, value in sorted((xattrs or {}).items())]
    plain = header(stored, kind, len(data), mode, uid if uid < 8 ** 7 else 0, gid if gid < 8 ** 7 else 0,
                   min(max(mtime_ns // 10**9, 0), 8 ** 11 - 1), link, *rdev)
    return (pax(records) if records else b"") + plain + data + padding(len(data))
