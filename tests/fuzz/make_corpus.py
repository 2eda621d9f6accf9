#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the fuzz targets tar, layer and inflate to corpus/: one small input per feature of
the format. The first byte of each chooses how the target reads (see fuzz_tar.c, fuzz_layer.c,
fuzz_inflate.c). Zstd frames are made by the zstd program."""

import bz2
import gzip
import io
import lzma
import pathlib
import struct
import subprocess
import tarfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent / "corpus"


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



# ---------------------------------------------------------------- layers

KINDS = {"-": b"0", "h": b"1", "l": b"2", "c": b"3", "b": b"4", "d": b"5", "p": b"6"}


def layer(*rows):
    """An archive of ROWS: "KIND PATH", with a link's target or a file's content behind it, pax records
    and patches of the header."""
    out = b""
    for i, row in enumerate(rows):
        (kind, path), rest = row[0].split(" ", 1), row[1:]
        text = (rest[0] if rest else "").encode()
        records, patches = (rest[1] if len(rest) > 1 else ()), (rest[2] if len(rest) > 2 else ())
        data = text if kind == "-" else b""
        if kind in "hl":
            patches = ((157, text), *patches)
        time = (136, b"%011o\0" % (1700000000 + i))
        out += pax(*records) if records else b""
        out += block(path.encode(), KINDS[kind], len(data), patches=(time, *patches)) + pad(data)
    return out + END


NULL = ((329, b"0000001\0"), (337, b"0000003\0"))
XATTRS = ((b"SCHILY.xattr.user.a", b"\0b"), (b"SCHILY.xattr.user.overlay.opaque", b"y"),
          (b"SCHILY.xattr.trusted.overlay.opaque", b"y"), (b"mtime", b"-1.5"),
          (b"SCHILY.xattr.security.capability", struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)))

LAYERS = {
    "kinds": layer(("d d/",), ("- d/f", "abc", XATTRS), ("l d/l", "f"), ("h d/h", "d/f"), ("p d/p",),
                   ("c d/c", "", (), NULL), ("b d/b", "", (), NULL), ("h d/hl", "d/l")),
    "root": layer(("d ./", "", XATTRS, ((100, b"0001777\0"), (108, b"0000007\0"))), ("- f",)),
    "parents-made": layer(("- a/b/c/f", "x"), ("d a/b/", "", XATTRS)),
    "whiteouts": layer(("- .wh.gone",), ("- d/.wh.gone",), ("- d/e/.wh..wh..opq",), ("- .wh..wh..opq",)),
    "whiteout-and-name": layer(("d d/",), ("- d/f", "x"), ("- .wh.d",), ("- d/.wh.f",), ("- d/.wh.g",), ("- d/g", "y"),
                               ("- .wh.n",), ("d n/",), ("- .wh.m",), ("- m/f", "z")),
    "whiteout-device": layer(("c w", "", (), ((329, b"0000000\0"), (337, b"0000000\0"))), ("- w/f",), ("h l", "w")),
    "replaced": layer(("- a", "1"), ("d a/",), ("- a/f", "2"), ("l a", "b"), ("d b/",), ("- a/f", "3"), ("d a/",), ("- b", "4"),
                      ("p b",), ("- b", "5")),
    "symlinked-parents": layer(("d real/",), ("l via", "real"), ("l abs", "/real/./x/.."), ("d real/x/",), ("- via/f", "1"),
                               ("- abs/g", "2"), ("d via/d/",), ("d real/d/",), ("l up", "../../.."), ("- up/h", "3")),
    "links": layer(("- a", "1"), ("h b", "a"), ("h c", "b"), ("- a", "2"), ("h c", "a"), ("l s", "a"), ("h t", "s")),
    "link-below-itself": layer(("d a/",), ("- a/f", "1"), ("h a", "a/f")),
    "link-to-deleted": layer(("- .wh.x",), ("h y", "x")),
    "loop": layer(("l a", "b"), ("l b", "a"), ("- a/f",)),
    "dot-dot": layer(("- ../f", "x")),
    "times": layer(("d a/",), ("d a/b/",), ("l s", "a/b"), ("d s/",), ("d a/b/",), ("- a/b/f", "x"), ("- a/b", "y")),
    "sparse": pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"d/s"),
                  (b"GNU.sparse.realsize", b"20000")) + block(b"f", b"0", 515) + pad(b"2\n8192\n3\n20000\n0\n") +
              pad(b"abc") + END,
    "bad-xattr": layer(("- f", "x", ((b"SCHILY.xattr.security.capability", b"short"),))),
    "long-name": layer(("d d/",), ("- f", "x", ((b"path", b"d/" + b"n" * 256),))),
}


# ---------------------------------------------------------------- compressed streams

TEXT = b"".join(b"%d lines of text\n" % i for i in range(400))


def zstd(data, *options):
    return subprocess.run(["zstd", "-c", "-q", *options], input=data, stdout=subprocess.PIPE, check=True).stdout


def gzip_member(data, flags=0, extra=b"", crc=None, size=None, level=9):
    """A member with header fields of our choice (RFC 1952)."""
    z = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = z.compress(data) + z.flush()
    return (b"\x1f\x8b\x08" + bytes([flags]) + bytes(4) + b"\0\x03" + extra + body +
            struct.pack("<II", zlib.crc32(data) if crc is None else crc, len(data) if size is None else size))


GZIP, ZSTD = gzip.compress(TEXT, 6, mtime=0), zstd(TEXT)
SKIPPABLE = struct.pack("<II", 0x184D2A53, 5) + b"12345"

STREAMS = {
    "plain": TEXT[:900], "empty": b"", "one-byte": b"\x1f", "zeros": bytes(1024),
    "gzip": GZIP, "gzip-stored": gzip_member(TEXT, level=0), "gzip-empty": gzip_member(b""),
    "gzip-bomb": gzip_member(bytes(1 << 20)),
    "gzip-members": GZIP + gzip_member(b"") + GZIP, "gzip-padded": GZIP + bytes(700), "gzip-garbage": GZIP + b"garbage",
    "gzip-fields": gzip_member(TEXT, 0x1c, b"\x04\0abcdname\0comment\0"),
    "gzip-header-crc": gzip_member(TEXT, 0x02, b"\0\0"),
    "gzip-crc": gzip_member(TEXT, crc=1), "gzip-size": gzip_member(TEXT, size=1),
    "gzip-cut": GZIP[:len(GZIP) // 2], "gzip-cut-header": GZIP[:7], "gzip-cut-trailer": GZIP[:-3],
    "gzip-method": GZIP[:2] + b"\x07" + GZIP[3:], "gzip-bad-block": GZIP[:10] + b"\xff" * 40,
    "zstd": ZSTD, "zstd-check": zstd(TEXT, "--check"), "zstd-no-check": zstd(TEXT, "--no-check"), "zstd-empty": zstd(b""),
    "zstd-frames": ZSTD + SKIPPABLE + zstd(b"more"), "zstd-skippable-first": SKIPPABLE + ZSTD, "zstd-skippable-only": SKIPPABLE,
    "zstd-cut": ZSTD[:-5], "zstd-garbage": ZSTD + b"garbage", "zstd-bomb": zstd(bytes(1 << 20)),
    "zstd-bad-check": ZSTD[:-1] + bytes([ZSTD[-1] ^ 1]),
    "zstd-large-window": b"\x28\xb5\x2f\xfd\x00\xf8" + bytes(8),
    "bzip2": bz2.compress(TEXT), "bzip2-cut": bz2.compress(TEXT)[:-4], "bzip2-streams": bz2.compress(TEXT) + bz2.compress(b"x"),
    "xz": lzma.compress(TEXT), "xz-cut": lzma.compress(TEXT)[:-9], "xz-padded": lzma.compress(TEXT) + bytes(8),
    "xz-no-check": lzma.compress(TEXT, check=lzma.CHECK_NONE),
}


def write(target, seeds, first_bytes):
    folder = HERE / target
    folder.mkdir(parents=True, exist_ok=True)
    for i, (name, data) in enumerate(sorted(seeds.items())):
        (folder / name).write_bytes(bytes([first_bytes[i % len(first_bytes)]]) + data)


def main():
    write("tar", SEEDS, (0, 0x80, 0x11, 0xe4))
    write("layer", LAYERS, (0, 0x11, 0x64, 0x40))
    write("layer", {name + "-literal": LAYERS[name] for name in ("whiteouts", "whiteout-and-name", "whiteout-device")}, (0x80,))
    write("inflate", STREAMS, (0, 0x85, 0x3f))


if __name__ == "__main__":
    main()
