#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the tar fuzz target to corpus/tar/: one small archive per feature of the
format. The first byte of each chooses how the target reads (see fuzz_tar.c)."""

import io
import pathlib
import tarfile

HERE = pathlib.Path(__file__).resolve().parent / "corpus" / "tar"


def block(name, flag, size=0, magic=b"ustar\x0000", patches=()):
    b = bytearray(512)
    b[0:len(name)] = name
    b[100:108] = b"0000644\0"
    b[108:116] = b[116:124] = b"0000000\0"
    b[124:136] = b"%011o\0" % size
    b[136:148] = b"%011o\0" % 1700000000
    b[156:157] = flag
    b[257:265] = magic
    b[329:337] = b[337:345] = b"0000000\0"
    for at, text in patches:
        b[at:at + len(text)] = text
    b[148:156] = b" " * 8
    b[148:156] = b"%06o\0 " % sum(b)
    return bytes(b)


def pad(data):
    return data + bytes(-len(data) % 512)


def pax(*pairs, flag=b"x"):
    body = b""
    for key, value in pairs:
        rest = b" " + key + b"=" + value + b"\n"
        n = len(rest) + 1
        while len(str(n)) + len(rest) != n:
            n += 1
        body += str(n).encode() + rest
    return block(b"pax", flag, len(body)) + pad(body)


def python_tar(fmt):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=fmt) as tar:
        for name, kind, link in (("d/", tarfile.DIRTYPE, ""), ("d/f", tarfile.REGTYPE, ""),
                                 ("d/l", tarfile.SYMTYPE, "f"), ("d/h", tarfile.LNKTYPE, "d/f"),
                                 ("n" * 150, tarfile.SYMTYPE, "t" * 150),
                                 ("fifo", tarfile.FIFOTYPE, ""), ("null", tarfile.CHRTYPE, "")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mtime = kind, link, 1700000000.5
            info.size = 3 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"abc"))
    return out.getvalue().rstrip(b"\0") + bytes(1024)


END = bytes(1024)
FILE = block(b"f", b"0", 3) + pad(b"abc") + END
OLD_MAP = ((386, b"00000000004\0" b"00000000002\0" b"00000000012\0" b"00000000003\0"),
           (483, b"00000000024\0"))

SEEDS = {
    "python-ustar-like-gnu": python_tar(tarfile.GNU_FORMAT),
    "python-pax": python_tar(tarfile.PAX_FORMAT),
    "v7": block(b"old", b"\0", 3, bytes(8)) + pad(b"abc") + END,
    "v7-dir": block(b"old/", b"\0", 0, bytes(8)) + END,
    "prefix": block(b"f", b"0", 0, patches=((345, b"some/prefix"),)) + END,
    "star": block(b"f", b"0", 0, patches=((345, b"prefix"), (508, b"tar\0"))) + END,
    "base256": block(b"f", b"0", 0, patches=((108, b"\x80\0\0\0\x7f\0\0\1"),
                                             (136, b"\xff" * 12))) + END,
    "size-huge": block(b"f", b"0", 0, patches=((124, b"\x80\0\0\0\x7f" + b"\xff" * 7),)) + END,
    "size-negative": block(b"f", b"0", 0, patches=((124, b"\xff" * 12),)) + END,
    "bad-checksum": b"g" + FILE[1:],
    "truncated": FILE[:515],
    "no-end": FILE[:1024],
    "trailing": FILE + b"garbage",
    "pax-all": pax((b"path", b"p"), (b"size", b"3"), (b"uid", b"70000"), (b"mtime", b"-1.5"),
                   (b"SCHILY.xattr.user.k", b"v\0w"),
                   (b"LIBARCHIVE.xattr.user.%41", b"aGk=")) + FILE,
    "pax-global": pax((b"gid", b"5"), (b"uname", b"u"), flag=b"g") + FILE,
    "pax-malformed": block(b"pax", b"x", 8) + pad(b"99 a=bc\n") + FILE,
    "sparse-00": pax((b"GNU.sparse.size", b"20"), (b"GNU.sparse.offset", b"4"),
                     (b"GNU.sparse.numbytes", b"3")) + FILE,
    "sparse-01": pax((b"GNU.sparse.size", b"20"), (b"GNU.sparse.name", b"s"),
                     (b"GNU.sparse.map", b"4,2,10,1")) + FILE,
    "sparse-10": pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"),
                     (b"GNU.sparse.realsize", b"20")) + block(b"f", b"0", 515) +
                 pad(b"1\n4\n3\n") + pad(b"abc") + END,
    "sparse-old": block(b"f", b"S", 5, b"ustar  \0", OLD_MAP) + pad(b"abcde") + END,
    "sparse-overlap": pax((b"GNU.sparse.size", b"20"), (b"GNU.sparse.map", b"4,2,5,1")) + FILE,
    "sparse-old-extended": block(b"f", b"S", 5, b"ustar  \0", OLD_MAP + ((482, b"\1"),)) +
                           bytes(512) + pad(b"abcde") + END,
}


def main():
    HERE.mkdir(parents=True, exist_ok=True)
    for i, (name, data) in enumerate(sorted(SEEDS.items())):
        (HERE / name).write_bytes(bytes([(0, 0x80, 0x11, 0xe4)[i % 4]]) + data)


if __name__ == "__main__":
    main()
