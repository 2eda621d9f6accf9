# SPDX-License-Identifier: Apache-2.0
"""Hostile tar archives from a seed. Each is one of RECIPES, filled in at random, and some are then cut, damaged,
compressed or compressed twice by WRAPPINGS. `archive(seed, canary)` is the same bytes each time; CANARY is a
directory of the host that the archive may try to reach.

    hostile_archives.py SEED CANARY >x.tar
"""
import bz2
import gzip
import lzma
import os
import random
import struct
import subprocess
import sys

from make_tar import BLOCK, BLOCKDEV, CHAR, DIR, END, FIFO, FILE, HARD, SYMLINK, header, member, number, octal, padding, pax, record

SHORT = (b"a", b"b", b"c", b"a/b", b"a/b/c", b"a/c", b"b/a", b"c/b/a", b"a/b/c/d", b"l", b"l/x", b"l/x/y")
EDGES = (b"..", b"../x", b"a/..", b"a/../../x", b"../../../../../../x", b"/", b"//", b"/x", b"./", b".", b"./.", b"a/.",
         b"a//b", b"",
         b"x" * 255, b"x" * 256, b"x" * 4095, b"x/" * 2047 + b"x", b"x/" * 2048, b"d/" * 254 + b"f", b"d/" * 300 + b"f",
         b".wh.", b".wh..",
         b".wh...", b".wh..wh..opq", b".wh..wh..opq/", b".wh..wh.plnk", b".wh..wh.aufs", b".wh../x", b"a/.wh.",
         b"a/.wh..", b".wh.a/b",
         b".wh..wh.a", b".WH.a", b"\xff\xfe", b"a\xc0\xaf..\xc0\xafx", b"\x1b[2J", b"a\nb", b"a\rb", b"\x7f", b"...",
         b"..a", b"a..", b" ",
         b"a ", b"CON", b"C:\\x", b"..\\..\\x", b"%2e%2e%2fx", b"~root", b"-rf", b"$(id)", b"work", b"index", b"diff",
         b"layer.json", b"list")
ATTRIBUTES = (b"security.capability", b"trusted.overlay.opaque", b"trusted.overlay.redirect",
              b"trusted.overlay.metacopy",
              b"trusted.overlay.origin", b"trusted.overlay.whiteout", b"trusted.overlay.", b"user.overlay.opaque",
              b"user.overlay.redirect",
              b"user.overlay.whiteout", b"security.selinux", b"security.ima", b"system.posix_acl_access",
              b"system.posix_acl_default",
              b"user.x", b"user.", b"user." + b"n" * 260, b"", b"nodot", b"user.a=b", b"trusted.x", b"security.",
              b"user.\xff")
NUMBERS = (b"0", b"-1", b"1", b"18446744073709551615", b"18446744073709551616", b"9223372036854775807",
           b"9223372036854775808",
           b"4294967295", b"4294967296", b"1e9", b"0x10", b" 1", b"1 ", b"+1", b"", b"nan", b"1.5", b"-0",
           b"00000000000000000000000001",
           b"9" * 400, b"1\x00", b"\xff")


class Ground:
    """What the recipes draw from."""

    def __init__(self, seed, canary):
        self.rng, self.canary = random.Random(seed), os.fsencode(canary)
        self.pick, self.one_in = self.rng.choice, lambda n: self.rng.randrange(n) == 0
        self.made = []

    def name(self):
        return self.pick(SHORT) if self.rng.random() < 0.6 else self.pick(EDGES)

    def outside(self):
        """A way out: to the canary, to the store's own files, to the kernel's."""
        up = b"../" * self.rng.randrange(1, 14)
        return self.pick((self.canary, self.canary + b"/file", self.canary + b"/dir", up +
                          self.canary.rsplit(b"/", 1)[1], up + b"canary/dir",
                          up + b"root/tare.db", up + b"tare.db", b"/proc/self/root" + self.canary, b"/proc/self/cwd",
                          b"/proc/self/fd/%d" %
                          self.rng.randrange(12), b"/proc/thread-self/root" + self.canary, b"/", b"..", b".",
                          b"/dev/null", b"/etc",
                          up + b"etc", self.canary + b"/./../" + self.canary.rsplit(b"/", 1)[1], b"/proc/self/exe",
                          b"/proc/1/root"))

    def target(self):
        return self.outside() if self.rng.random() < 0.6 else self.name()

    def bytes(self, most=2000):
        return self.rng.randbytes(self.rng.randrange(most))

    def owner(self):
        return self.pick((0, 0, 0, 1, 1000, 65536, 2097151, 2097152, 4294967294, 4294967295, 4294967296, 1 << 62))

    def step(self, name=None):
        """A member that any archive could have, of any type. Hard links mostly mean something that is there: an
        archive ends with its first refused member, and what matters is how far the others get."""
        name = name or self.name()
        kind = self.rng.choices((FILE, DIR, SYMLINK, HARD, CHAR, FIFO, BLOCKDEV), (30, 20, 18, 14, 4, 3, 3))[0]
        data = self.bytes(300) if kind == FILE else b""
        link = self.target() if kind == SYMLINK else b""
        if kind == HARD:
            link = self.pick(self.made) if self.made and not self.one_in(8) else self.target()
        elif kind != DIR:
            self.made.append(name)
        mode = self.pick((0o644, 0o755, 0o4755, 0o2755, 0o1777, 0o777, 0, 0o7777))
        return member(name, kind, data, mode, self.pick((0, 0, 1000)), self.pick((0, 65536)),
                      self.rng.randrange(-10**18, 10**19), link,
                      (self.rng.randrange(5), self.rng.randrange(5)))


# ---------------------------------------------------------------- recipes

def walk(g):
    """Members of every type under few names: each meets what an earlier one left there."""
    return b"".join(g.step(g.pick(SHORT)) for _ in range(g.rng.randrange(2, 25)))


def wild_walk(g):
    return b"".join(g.step() for _ in range(g.rng.randrange(1, 12)))


def through_symlink(g):
    """A symbolic link to the outside, and then everything that may be done through it."""
    name = g.pick((b"a", b"a/b", b"lib"))
    # The same path inside, so that a link followed in the root as in a chroot leads somewhere.
    inside = b"".join(member(g.canary.lstrip(b"/") + p, kind, b"inside") for p,
                      kind in ((b"", DIR), (b"/dir", DIR), (b"/file", FILE)))
    out = (b"" if g.one_in(3) else inside) + member(name, SYMLINK, link=g.pick((g.canary, g.canary, g.canary + b"/dir",
                                                                                g.outside())))
    for _ in range(g.rng.randrange(1, 6)):
        below = name + g.pick((b"", b"/x", b"/x", b"/file", b"/file", b"/dir", b"/dir/x", b"/.wh.file",
                               b"/.wh..wh..opq", b"/.wh.dir", b"/"))
        out += g.step(below) if b".wh." not in below else member(below)
    return out


def chain(g):
    """Symbolic links to symbolic links, 60 at most, in a loop or to the outside."""
    length = g.rng.randrange(1, 60)
    links = [b"l%d" % i for i in range(length)] + [g.pick((b"l0", g.outside(), b"none", b"d"))]
    out = b"".join(member(links[i], SYMLINK, link=links[i + 1]) for i in range(length))
    return out + (member(b"d", DIR) if g.one_in(2) else b"") + g.step(b"l0/x") + g.step(b"l0")


def hard_links(g):
    """To links, outside, later entries, directories, devices, whiteouts, themselves."""
    first = g.pick((member(b"s", SYMLINK, link=g.outside()), member(b"s", DIR), member(b"s", CHAR, rdev=(1, 3)),
                    member(b".wh.s"), b"",
                    member(b"s", FIFO), member(b"s", CHAR), member(b"s", HARD, link=b"s")))
    to = g.pick((b"s", b"s/x", b"later", g.outside(), b".", b"/", b"./s", b"/s", b"s/", b"s/..", b".wh.s", b"h", b""))
    return first + member(b"h", HARD, link=to) + member(b"h", FILE, g.bytes()) + member(b"later", FILE) + \
        member(b"h2", HARD, link=b"h", mode=0o4777) + g.step(b"h")


def swap(g):
    """Directory, link, directory: the parent that was just used becomes something else."""
    out = b""
    for _ in range(g.rng.randrange(2, 8)):
        out += g.pick((member(b"p", DIR), member(b"p", SYMLINK, link=g.outside()), member(b"p", FILE),
                       member(b"p", HARD, link=b"q") if g.one_in(4) else b"",
                       member(b".wh.p"), member(b"p/q", DIR), member(b"p/q", SYMLINK, link=g.outside())))
        out += member(b"p", DIR) if not g.one_in(3) else b""
        out += member(g.pick((b"p/f", b"p/q/f", b"p/q")), FILE, b"evil")
    return out


def names(g):
    return b"".join(g.step(g.pick(EDGES)) for _ in range(g.rng.randrange(1, 4)))


def whiteouts(g):
    words = (b".wh.a", b"a/.wh.b", b".wh..wh..opq", b"a/.wh..wh..opq", b"a/b/.wh..wh..opq", b".wh.l", b"l/.wh.x",
             b".wh.", b".wh..wh.x", b".wh...",
             b".wh.a/b", b".wh..wh..opq/x", b".wh." + b"x" * 251, b".wh.\xff", b".wh..wh..opq.")
    out = b""
    for _ in range(g.rng.randrange(1, 9)):
        kind = g.pick((FILE, DIR, SYMLINK, HARD, CHAR, FIFO)) if g.one_in(12) else FILE
        out += member(g.pick(words[:7] if not g.one_in(8) else words), kind,
                      link=g.target() if kind in (SYMLINK, HARD) else b"") + g.step(g.pick(SHORT))
    return out


def types(g):
    """Every type byte there could be, with sizes and links where they do not belong."""
    kind = bytes([g.rng.randrange(256)])
    data = g.bytes(1500)
    return header(g.name() or b"x", kind, len(data), link=g.target()) + data + padding(len(data)) + g.step()


def devices(g):
    out = b""
    for _ in range(g.rng.randrange(1, 6)):
        major, minor = (g.pick((0, 1, 5, 8, 259, 4095, 4096, 2097151, 1 << 31, 1 << 40)) for _ in range(2))
        out += header(g.pick(SHORT), g.pick((CHAR, BLOCKDEV)), g.pick((0, 0, 512)), major=major, minor=minor,
                      mode=0o666)
    return out


def attributes(g):
    records = []
    for _ in range(g.pick((1, 2, 5, 300))):
        value = g.pick((g.bytes(40), b"y", b"/" + g.canary, b"../..", b"", bytes(70000) if g.one_in(20) else b"z",
                        struct.pack("<IIIII", 0x02000001, 1 << 21, 0, 0, 0),
                        struct.pack("<IIIIII", 0x03000001, 1 << 21, 0, 0, 0, 5)))
        prefix = g.pick((b"SCHILY.xattr.", b"SCHILY.xattr.", b"LIBARCHIVE.xattr.", b"RHT.security.", b"SCHILY.acl."))
        name = g.pick(ATTRIBUTES)
        records.append((prefix + name if not g.one_in(30) else prefix + name + b"%d" % len(records), value))
    kind = g.pick((FILE, DIR, SYMLINK, HARD, FIFO, CHAR))
    return member(b"a", FILE) + pax(records) + header(g.pick((b"x", b"a", b"./", b".wh.x")), kind, link=b"a") + g.step()


def pax_values(g):
    """What a pax header overrides, by values that are none."""
    keys = (b"size", b"path", b"linkpath", b"uid", b"gid", b"mtime", b"atime", b"uname", b"hdrcharset", b"charset",
            b"comment", b"devmajor",
            b"SCHILY.devmajor", b"GNU.sparse.name", b"GNU.sparse.realsize", b"SCHILY.filetype", b"", b"realtime.x",
            b"VENDOR.x")
    records = [(g.pick(keys), g.pick((g.pick(NUMBERS), g.pick(NUMBERS), g.name(), g.outside(), b"BINARY", g.bytes(30))))
               for _ in range(g.rng.randrange(1, 6))]
    kind = g.pick((b"x", b"x", b"x", b"g", b"X"))
    data = g.bytes(600)
    return pax(records, kind) + header(b"f", g.pick((FILE, FILE, DIR, SYMLINK, HARD)), len(data),
                                       link=b"f") + data + padding(len(data)) + g.step()


def pax_lengths(g):
    """Records whose length lies."""
    good = record(b"path", b"x" * g.rng.randrange(1, 90))
    bad = g.pick((b"0 path=x\n", b"5 path=x\n", b"999999 path=x\n", b"-9 path=x\n", b"path=x\n", b"9path=x\n",
                  b"11 path=xx\n", b"10 path=xx",
                  b"010 path=x\n", b"9 pathx\n\n", b"4 =\n", b"18446744073709551625 path=x\n", b"\n", b" ",
                  b"9 path=x\0", b"12 path=\0abc\n",
                  g.bytes(60), good[:-1], good + good[:5], b"6 a=b\n" * g.rng.randrange(1, 3000), b"3 \n"))
    return pax(good + bad if g.one_in(2) else bad + good, g.pick((b"x", b"g"))) + header(b"f") + g.step()


def headers_in_a_row(g):
    """Extended headers without end, one of a megabyte and more, or none that follows."""
    one = pax([(b"comment", b"x" * g.pick((1, 600, 1 << 20, (1 << 20) + 7)))], g.pick((b"x", b"g")))
    many = one * (g.rng.randrange(1, 40) if len(one) < 5000 else g.rng.randrange(1, 3))
    return many + (header(b"f") if g.one_in(2) else b"")


def gnu_names(g):
    """L and K records: huge, empty, without an end, without a member, with NULs inside."""
    text = g.pick((b"", b"x", b"a/" * 3000, g.outside() + b"\0", b"a\0b\0", b"../../x\0", b"x" * 5000, g.pick(EDGES) +
                   b"\0"))
    size = len(text) if not g.one_in(4) else g.pick((0, 1, 1 << 20, (1 << 20) + 1, 1 << 33))
    return header(b"././@LongLink", g.pick((b"L", b"K")), size) + text + padding(len(text)) + \
        header(g.name() or b"y", g.pick((FILE, SYMLINK, HARD, DIR)), link=b"a") + g.step()


def raw_numbers(g):
    """Fields that are no octal numbers."""
    raw12 = g.pick((number(-1, 12), number(1 << 80, 12), number((1 << 63) - 1, 12), number(1 << 63, 12),
                    b"77777777777\0", b"777777777777", b" " * 12,
                    b"-1\0", b"8\0", b"0x10\0", b"1 2\0", b"\0" * 12, b"\xff" * 12, b"\x80" + b"\0" * 11, b"\x80" +
                    b"\xff" * 11, b"  12 \0", g.bytes(13)))
    field = g.pick(("size_raw", "mtime_raw", "mode_raw", "uid_raw", "gid_raw", "major_raw", "minor_raw", "size_raw"))
    return header(b"f", g.pick((FILE, FILE, DIR, CHAR, SYMLINK)), 0,
                  **{field: raw12}) + g.bytes(1200) + padding(0) + g.step()


def raw_headers(g):
    """Wrong checksums, magics, prefixes that climb, unterminated fields."""
    block = header(g.name() or b"z", g.pick((FILE, DIR, SYMLINK, HARD)), 0, link=g.target(),
                   prefix=g.pick((b"", b"..", b"/", b"a/..", g.canary, b"x" * 155)),
                   magic=g.pick((b"ustar\x0000", b"ustar  \0", b"\0" * 8, b"USTAR\x0000", g.rng.randbytes(8),
                                 b"ustar\x0099")),
                   checksum=g.pick((None, None, None, 0, 7, 1 << 17)), uname=g.rng.randbytes(32), gname=b"\xff" * 32)
    if g.one_in(3):
        at = g.rng.randrange(BLOCK)
        block = block[:at] + bytes([g.rng.randrange(256)]) + block[at + 1:]
    return block + g.step()


def sparse_pax(g):
    """Sparse maps of pax 0.0, 0.1 and 1.0 that overlap, run backwards, leave the file, or have no end."""
    numbers = [g.pick((0, 1, 512, 4096, 10**6, 1 << 40, 1 << 62, (1 << 63) - 1, 1 << 64,
                       -1)) for _ in range(g.rng.randrange(0, 12))]
    real = g.pick((0, 1, 4096, 1 << 20, 1 << 40, 1 << 62, (1 << 63) - 1, 1 << 63, -1))
    count = g.pick((len(numbers) // 2, len(numbers), 0, 1, 10**6, 10**18, -1))
    data = g.bytes(3000)
    name = g.pick((b"s", b"../s", g.canary + b"/file", b"", b"a/s"))
    version = g.rng.randrange(3)
    if version == 0:
        records = [(b"GNU.sparse.size", b"%d" % real), (b"GNU.sparse.numblocks", b"%d" % count)]
        for i in range(0, len(numbers) - 1, 2):
            records += [(b"GNU.sparse.offset", b"%d" % numbers[i]), (b"GNU.sparse.numbytes", b"%d" % numbers[i + 1])]
        g.one_in(4) and g.rng.shuffle(records)
    elif version == 1:
        records = [(b"GNU.sparse.size", b"%d" % real), (b"GNU.sparse.numblocks", b"%d" % count),
                   (b"GNU.sparse.name", name),
                   (b"GNU.sparse.map", g.pick((b",".join(b"%d" % n for n in numbers), b",", b"1", b"0,0," * 2000,
                                               b"a,b", b"0,1,"))) ]
    else:
        records = [(b"GNU.sparse.major", g.pick((b"1", b"1", b"1", b"2", b"-1"))), (b"GNU.sparse.minor", b"0"),
                   (b"GNU.sparse.name", name),
                   (b"GNU.sparse.realsize", b"%d" % real)]
        table = b"%d\n" % count + b"".join(b"%d\n" % n for n in numbers)
        table = g.pick((table, table, table, b"1" * 600, b"\n" * 600, b"x\n", b"1\n0\n1", b""))
        data = table + padding(len(table)) + data
    return pax(records) + header(b"s", g.pick((FILE, FILE, FILE, b"S", DIR)),
                                 len(data)) + data + padding(len(data)) + g.step()


def sparse_gnu(g):
    """The map in an old GNU header, and its continuation blocks."""
    numbers = [g.pick((0, 512, 1024, 4096, 1 << 30, 1 << 33, (1 << 33) - 1)) for _ in range(8)]
    table = b"".join(number(n, 12) for n in numbers)
    extended = g.pick((b"\0", b"\0", b"\1", b"\xff"))
    data = g.bytes(3000)
    block = bytearray(header(b"s", b"S", len(data), magic=b"ustar  \0"))
    block[386:386 + 96] = table if not g.one_in(5) else g.rng.randbytes(96)
    block[482:483] = extended
    block[483:495] = g.pick((number(4096, 12), number(1 << 40, 12), number(-1, 12), number((1 << 63) - 1, 12),
                             b"\0" * 12))
    block[148:156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 8 * 32)
    more = b"".join(octal(g.rng.randrange(1 << 20), 12) for _ in range(42)) + g.pick((b"\0", b"\1")) + bytes(7)
    return bytes(block) + (more * g.rng.randrange(4) if extended != b"\0" else
                           b"") + data + padding(len(data)) + g.step()


def huge(g):
    """Sizes that the archive does not have, and files that are large and hold nothing."""
    return g.pick((lambda: header(b"f", FILE, g.pick((1 << 33, 1 << 40, 1 << 60, (1 << 63) - 1))) + g.bytes(5000),
                   lambda: pax([(b"size", b"%d" % (1 << g.rng.randrange(31, 63)))]) + header(b"f") + g.bytes(5000),
                   lambda: member(b"f", FILE, extents=[], size=1 << g.rng.randrange(32, 62)),
                   lambda: member(b"f", FILE, extents=[((1 << 40) - 10, b"0123456789")], size=1 << 40) +
                   g.step(b"f")))()


def bomb(g):
    """Much from little; the wrapping makes it small."""
    zeros = bytes(g.rng.randrange(4 << 20, 12 << 20))
    return gzip.compress(member(b"zeros", FILE, zeros) + END, 1) if g.one_in(2) else \
        gzip.compress(header(b"f", FILE, 1) + bytes(len(zeros)), 1)


def many(g):
    """Thousands of members, of names, of hard links."""
    n = g.rng.randrange(200, 1500)
    return g.pick((lambda: b"".join(header(b"n%d" % i) for i in range(n)), lambda: header(b"f") +
                   b"".join(header(b"h%d" % i, HARD, link=b"f") for i in range(n)),
                   lambda: header(b"f") * n, lambda: b"".join(header(b"d/" * (i % 49) + b"f") for i in range(n)),
                   lambda: b"".join(header(b"a/b", g.pick((FILE, DIR)), link=b"a") for i in range(n)),
                   lambda: header(b".wh.f") * n))()


def owners(g):
    """Owners and set-id bits in the order that loses them, or that keeps them where they should go."""
    out = b""
    for _ in range(g.rng.randrange(1, 5)):
        records = [(g.pick((b"uid", b"gid")), g.pick(NUMBERS))] if g.one_in(3) else []
        out += (pax(records) if records else b"") + header(g.pick((b"s", b"s", b"t", b"a/s")),
                                                           g.pick((FILE, FILE, DIR, SYMLINK)), 0,
                                                        g.pick((0o4755, 0o6755, 0o2755, 0o1777, 0o7777)), g.owner(),
                                                           g.owner(), link=g.outside())
    return out


def garbage(g):
    return g.pick((b"", bytes(512), bytes(511), bytes(5120), g.bytes(3000), b"PK\3\4" + g.bytes(), b"\x1f\x8b" +
                   g.bytes(), b"\x28\xb5\x2f\xfd" + g.bytes(),
                   b"BZh9" + g.bytes(), b"\xfd7zXZ\0" + g.bytes(), b"7z\xbc\xaf" + g.bytes(), b"\x1f\x9d" + g.bytes(),
                   b"!<arch>\n", b"070701" + g.bytes()))


RECIPES = (walk, wild_walk, through_symlink, chain, hard_links, swap, names, whiteouts, types, devices, attributes,
           pax_values, pax_lengths,
           headers_in_a_row, gnu_names, raw_numbers, raw_headers, sparse_pax, sparse_gnu, huge, many, owners, garbage)
# Those in which what one member leaves meets the next are worth more tries.
WEIGHTS = [6 if r in (walk, wild_walk, through_symlink, swap, whiteouts, hard_links) else 3 for r in RECIPES]


# ---------------------------------------------------------------- wrappings

def zstd(data):
    return subprocess.run(["zstd", "-qc1"], input=data, stdout=subprocess.PIPE, check=True).stdout


def wrap(g, data):
    """Most stay as they are; the others are cut, continued, or compressed well or badly."""
    way = g.rng.random()
    if way < 0.55:
        return data + END
    if way < 0.65:
        return (data + END)[:BLOCK * g.rng.randrange(len(data) // BLOCK + 2)]
    if way < 0.70:
        return (data + END)[:g.rng.randrange(len(data) + 1024)]
    if way < 0.75:
        return data + END + g.bytes(3000)
    if way < 0.78:
        return data  # no end at all
    if way < 0.82:
        broken = bytearray(data + END)
        for _ in range(g.rng.randrange(1, 6)):
            broken[g.rng.randrange(len(broken))] ^= 1 << g.rng.randrange(8)
        return bytes(broken)
    packed = g.pick((lambda d: gzip.compress(d, 1, mtime=0), lambda d: gzip.compress(d[:700], 1, mtime=0) +
                     gzip.compress(d[700:], 1, mtime=0),
                     lambda d: gzip.compress(gzip.compress(d, 1, mtime=0), 1, mtime=0), lzma.compress, bz2.compress,
                     zstd))(data + END)
    if g.one_in(3):
        packed = g.pick((lambda: packed[:g.rng.randrange(len(packed))], lambda: packed + g.bytes(700), lambda: packed +
                         bytes(2000),
                         lambda: packed[:len(packed) // 2] + g.bytes(20) + packed[len(packed) // 2:]))()
    return packed


def archive(seed, canary):
    """(name of the recipe, bytes)"""
    g = Ground(seed, canary)
    if g.one_in(250):
        return "bomb", bomb(g)
    recipe = g.rng.choices(RECIPES, WEIGHTS)[0]
    return recipe.__name__, wrap(g, recipe(g))


if __name__ == "__main__":
    sys.stdout.buffer.write(archive(int(sys.argv[1]), sys.argv[2])[1])
