# SPDX-License-Identifier: Apache-2.0
"""COPY, ADD and WORKDIR as data: what is in the context, what is below, what the Dockerfile says, and where a peer
is known to do something else than BuildKit.

A tree is a list of lines: "d MODE PATH", "f MODE PATH TEXT", "l PATH TARGET", "p MODE PATH" (a FIFO), "h PATH OTHER"
(a second name), "s PATH SIZE" (a sparse file), "o UID GID PATH", "t PATH TIME", "x PATH NAME VALUE" (an attribute),
"a PATH FORMAT" followed by the indented lines of an archive. Whatever has no time of its own is from 2017.
"""
import dataclasses

PASSWD = "d 755 etc\nf 644 etc/passwd root:x:0:0::/:/bin/sh\\nme:x:70:71::/:/bin/sh\\n\nf 644 etc/group us:x:80:\\n\n"
TREE = """
d 755 d
f 644 d/a A
f 755 d/b B
d 700 d/sub
f 600 d/sub/c C
l d/l a
f 644 x X
f 640 y.txt Y
f 604 z.txt Z
t d 1400000000
t d/a 1300000000
t d/sub 1200000000
"""


@dataclasses.dataclass
class Case:
    name: str
    lines: str            # of the Dockerfile, after FROM scratch and, with a base, its ADD
    tree: str = TREE
    base: str = ""        # what lies below
    peers: str = "docker buildah"
    differs: str = ""     # why nobody is compared with: what BuildKit does and the peers do not
    fails: str = ""       # what tare says; the peers fail, too
    want: dict = None     # some of the tree, for cases without peers: path to (type, mode, uid, gid, time, text)
    ignore: str = ""      # .dockerignore


CASES = [
    # ---- files and targets ----
    Case("file-to-name", "COPY x /new"),
    Case("file-to-slash", "COPY x /new/"),
    Case("file-to-dot", "WORKDIR /w\nCOPY x ."),
    Case("file-to-dot-slash", "WORKDIR /w\nCOPY x ./"),
    Case("file-to-relative", "WORKDIR /w\nCOPY x sub/name"),
    Case("file-to-root", "COPY x /"),
    Case("file-deep", "COPY x /a/b/c/d"),
    Case("file-into-directory", "COPY x /dir", base="d 750 dir\no 3 4 dir"),
    Case("file-over-file", "COPY x /f", base="f 600 f old\no 3 4 f"),
    Case("file-over-link-target", "COPY x /l", base="f 600 real R\nl l real", peers="docker"),
    Case("file-into-linked-directory", "COPY x /l/", base="d 755 real\nl l real"),
    Case("file-through-link", "COPY x /l/a/b", base="d 755 real\nl l /real"),
    Case("target-that-goes-up", "COPY x /l/../y", base="d 755 real\nd 755 real/sub\nl l real/sub", peers="docker"),
    Case("target-above-the-root", "COPY x ../../../../y"),
    Case("workdir-that-goes-up", "WORKDIR /l\nCOPY x ../y", base="d 755 real\nd 755 real/sub\nl l real/sub",
         peers="docker"),
    Case("file-over-link-in-directory", "COPY x /dir/", base="d 755 dir\nl dir/x /etc/none"),
    Case("modes", "COPY g t /t/", tree="f 1644 t T\nf 0 g G"),
    Case("set-id-bits", "COPY m s /t/", tree="f 4755 m M\nf 2755 s S", peers="",
         differs="BuildKit keeps the bits; others lose them with the change of owner",
         want={"t/m": ("f", 0o4755, 0, 0, 1500000000, "M"), "t/s": ("f", 0o2755, 0, 0, 1500000000, "S")}),
    Case("old-time", "COPY x /new", tree="f 644 x X\nt x 86400"),
    Case("long-name", "COPY %s /t/" % ("n" * 255), tree="f 644 %s N" % ("n" * 255)),
    Case("empty-file", "COPY e /t/", tree="f 644 e "),
    Case("strange-names", 'COPY ["a b", "\u00e9", "/t/"]', tree="f 644 a\\x20b A\nf 644 \u00e9 E"),
    Case("several", "COPY x y.txt z.txt /t/"),
    Case("several-and-directory", "COPY d x /t/"),
    Case("same-name-twice", "COPY d/x x /t/", tree="d 755 d\nf 600 d/x D\nf 644 x X"),
    Case("slash-behind-file", "COPY x/ /new", peers="",
         differs="BuildKit cleans the source's path; the classic builder insists on a directory",
         want={"new": ("f", 0o644, 0, 0, 1500000000, "X")}),
    Case("two-steps-one-file", "COPY x /f\nCOPY y.txt /f"),

    # ---- directories ----
    Case("directory-contents", "COPY d/. /new/",
         want={"new": ("d", 0o755, 0, 0, "now", ""), "new/sub": ("d", 0o700, 0, 0, 1200000000, ""),
               "new/a": ("f", 0o644, 0, 0, 1300000000, "A"), "new/l": ("l", None, 0, 0, None, "a")}),
    Case("directory-mode", "COPY d /new", tree="d 700 d\nf 644 d/a A", peers="",
         differs="BuildKit makes the target 0755; the classic builder gives it the source's mode",
         want={"new": ("d", 0o755, 0, 0, "now", "")}),
    Case("directory-merge", "COPY d /t/", peers="docker",
         base="d 750 t\no 1 2 t\nd 777 t/sub\no 3 4 t/sub\nf 644 t/sub/old O\nf 644 t/keep K"),
    Case("directory-into-root", "COPY d /", peers="docker"),
    Case("directory-through-link", "COPY d/sub /l", base="d 711 real\nl l real", peers="docker"),
    Case("empty-directory", "COPY e /new/", tree="d 755 e", peers="docker"),
    Case("nested-empty", "COPY d /new/", tree="d 755 d\nd 711 d/e\nd 1777 d/e/f", peers="docker"),
    Case("deep", "COPY d /t/", tree="".join("d 755 d%s\n" % ("/n" * i) for i in range(40)) + "f 600 d%s/f F" % ("/n" * 39)),
    Case("whole-context", "COPY . /t/", tree="f 644 a A\nd 755 b\nf 600 b/c C", ignore="Dockerfile\n.dockerignore\nbase.tar\n"),

    Case("directory-over-file", "COPY d /f", base="f 600 f old", fails="cannot copy to non-directory", peers="docker"),
    Case("directory-over-file-below", "COPY d /t/", base="d 755 t\nf 600 t/sub old", fails="cannot copy to non-directory",
         peers="", differs="BuildKit replaces no file by a directory; the classic builder does"),
    Case("file-over-directory-below", "COPY d /t/", base="d 755 t\nd 755 t/a\nf 600 t/a/b old",
         fails="cannot replace to directory", peers="",
         differs="BuildKit replaces no directory by a file; the classic builder does"),
    Case("file-below-file", "COPY x /f/y", base="f 600 f old", fails="cannot copy to non-directory", peers="docker"),
    Case("file-to-file-slash", "COPY x /f/", base="f 600 f old", fails="cannot copy to non-directory", peers="docker"),
    Case("directory-to-name-then-file", "COPY d /n\nCOPY x /n/sub/new", peers="docker"),
    Case("root-of-context-to-root", "COPY . /", tree="f 644 a A\nd 711 b\nf 600 b/c C",
         ignore="Dockerfile\n.dockerignore\nbase.tar\n", peers="docker"),
    Case("workdir-then-dot", "WORKDIR /w/v\nCOPY . .", tree="f 644 a A\nd 711 b\nf 600 b/c C",
         ignore="Dockerfile\n.dockerignore\nbase.tar\n", peers="docker"),
    Case("workdir-relative", "WORKDIR /w\nWORKDIR v\nCOPY x .\nWORKDIR ../u\nCOPY y.txt ./z"),
    Case("workdir-over-file", "WORKDIR /f", base="f 600 f old", fails="not a directory", peers="docker"),
    Case("json-form", 'COPY ["x", "y.txt", "/t/"]'),
    Case("variables", "ENV D=d T=/t\nCOPY $D/a ${T}/b/"),

    # ---- links and other kinds ----
    Case("links-in-directory", "COPY d /t/", tree="d 755 d\nl d/abs /etc/passwd\nl d/rel ../x\nl d/none nowhere"),
    Case("link-as-source", "COPY l /t", tree="f 600 x X\nl l x"),
    Case("link-as-source-into-directory", "COPY l /t/", tree="f 600 x X\nl l x"),
    Case("link-to-directory-as-source", "COPY l /t/", tree="d 755 d\nf 600 d/x X\nl l d"),
    Case("link-on-the-way", "COPY l/x /t/", tree="d 755 d\nf 600 d/x X\nl l d"),
    Case("link-out-of-the-context", "COPY l /t", tree="l l /etc/passwd", fails="not found"),
    Case("link-in-a-circle", "COPY l /t", tree="l l m\nl m l", fails="too many links"),
    Case("second-names", "COPY d /t/", tree="d 755 d\nf 644 d/a A\nh d/b d/a\nh d/c d/a"),
    Case("fifo", "COPY d /t/", tree="d 755 d\np 640 d/p"),
    Case("sparse", "COPY s /t/", tree="s s 3000000"),
    Case("attributes", "COPY x /t", tree="f 755 x X\nx x user.note 1", peers="",
         differs="BuildKit takes user attributes along; docker's classic client sends none",
         want={"t": ("f", 0o755, 0, 0, 1500000000, "X")}),

    # ---- patterns ----
    Case("pattern", "COPY *.txt /t/"),
    Case("pattern-question", "COPY ?.txt /t/"),
    Case("pattern-class", "COPY [a-y]*.txt /t/"),
    Case("pattern-in-directory", "COPY d/[ab] /t/"),
    Case("pattern-over-directories", "COPY d*/s*b /t/", peers="docker"),
    Case("pattern-one-match", "COPY y* /name"),
    Case("pattern-no-match", "COPY *.none /t/\nCOPY x /", peers="",
         differs="BuildKit takes a pattern without a match for nothing to do; others fail",
         want={"x": ("f", 0o644, 0, 0, 1500000000, "X")}),
    Case("pattern-escaped", "COPY a[[]0].txt /t/", tree="f 644 a[0].txt A\nf 644 a0.txt B", peers="docker"),
    Case("missing", "COPY nosuch /t/", fails='failed to calculate checksum of ref'),
    Case("missing-one-of-two", "COPY x nosuch /t/", fails='"/nosuch": not found'),
    Case("several-no-slash", "COPY x y.txt /t", fails="When using COPY with more than one source file, the destination must "
                                                    "be a directory and end with a /", peers="docker"),
    Case("outside", "COPY ../../../../x /t", peers="",
         differs="for BuildKit '..' ends at the context's root; the classic builder refuses it",
         want={"t": ("f", 0o644, 0, 0, 1500000000, "X")}),
    Case("outside-missing", "COPY ../../../../etc/passwd /t", fails='"/etc/passwd": not found'),

    # ---- ignore files ----
    Case("ignored", "COPY d /t/", ignore="d/a\nd/sub\n"),
    Case("ignored-source", "COPY x /t/", ignore="x\n", fails='"/x": not found'),
    Case("ignored-but-one", "COPY d /t/", ignore="d\n!d/sub/c\n", peers="",
         differs="BuildKit sends the directories on the way with their modes; the classic builder makes new ones",
         want={"t/sub": ("d", 0o700, 0, 0, 1200000000, ""), "t/sub/c": ("f", 0o600, 0, 0, 1500000000, "C"), "t/a": None}),
    Case("ignored-by-pattern", "COPY . /t/", ignore="**/[a-c]\n*.txt\nDockerfile\n.dockerignore\n", peers="docker"),

    # ---- owners and modes ----
    Case("chown-uid", "COPY --chown=12 x /t/"),
    Case("chown-both", "COPY --chown=12:34 d /t/", peers="docker"),
    Case("chown-names", "COPY --chown=me:us x /t/", base=PASSWD),
    # The classic builder looks for a group of that name; BuildKit takes the user's own.
    Case("chown-name", "COPY --chown=me x /t/", base=PASSWD, peers="buildah"),
    Case("chown-mixed", "COPY --chown=me:9 x /t/", base=PASSWD),
    Case("chown-links", "COPY --chown=5:6 d /t/", tree="d 755 d\nl d/l x", peers="docker"),
    Case("chown-made-directories", "COPY --chown=5:6 x /a/b/c", peers="docker"),
    Case("chown-add", "ADD --chown=5:6 x /t/"),
    Case("chown-unknown", "COPY --chown=nosuch x /t/", base=PASSWD, fails="no such user: nosuch"),
    Case("chown-unknown-group", "COPY --chown=0:nosuch x /t/", base=PASSWD, fails="no such group: nosuch"),
    Case("chmod", "COPY --chmod=4711 x /t", peers="buildah"),
    Case("chmod-directory", "COPY --chmod=0700 d /t/", peers="",
         differs="the classic builder has no --chmod; buildah changes the target, too",
         want={"t": ("d", 0o755, 0, 0, "now", ""), "t/sub": ("d", 0o700, 0, 0, 1200000000, ""),
               "t/a": ("f", 0o700, 0, 0, 1300000000, "A")}),
    Case("chmod-symbolic", "COPY --chmod=go-r,u+x d /t/", peers="", differs="others have no symbolic modes",
         want={"t/a": ("f", 0o700, 0, 0, 1300000000, "A"), "t/sub/c": ("f", 0o700, 0, 0, 1500000000, "C")}),
    Case("chmod-wrong", "COPY --chmod=888 x /t", fails="invalid chmod parameter", peers="buildah"),
    Case("workdir", "WORKDIR /a/b/c"),
    Case("workdir-there", "WORKDIR /dir", base="d 750 dir\no 3 4 dir"),
    Case("workdir-through-link", "WORKDIR /l/a", base="d 755 real\nl l real"),
    Case("workdir-user", "USER me\nWORKDIR /a/b", base=PASSWD, peers="",
         differs="BuildKit gives what WORKDIR makes to the current user; the classic builder to root",
         want={"a": ("d", 0o755, 70, 71, "now", ""), "a/b": ("d", 0o755, 70, 71, "now", "")}),

    # ---- other stages ----
    Case("stage-file", "COPY x /f\nFROM scratch\nCOPY --from=0 /f /g", peers="docker"),
    Case("stage-owners", "COPY --chown=5:6 d /d\nFROM scratch\nCOPY --from=0 /d/a /d/sub/c /t/", peers="docker",
         differs=""),
    Case("stage-links", "COPY d /d\nFROM scratch\nCOPY --from=0 /d/l /t", peers="docker"),
    Case("stage-all", "COPY d /d\nCOPY x /x\nFROM scratch\nCOPY --from=0 / /", peers="docker"),

    Case("stage-by-name", "COPY x /f\nFROM scratch AS two\nCOPY y.txt /g\nFROM scratch\nCOPY --from=two /g /h",
         peers="docker"),
    Case("stage-pattern", "COPY . /s/\nFROM scratch\nCOPY --from=0 /s/*.txt /s/d/[ab] /t/", peers="docker",
         ignore="Dockerfile\n.dockerignore\nbase.tar\n"),
    Case("stage-second-names", "COPY d /d\nFROM scratch\nCOPY --from=0 /d /t", tree="d 755 d\nf 644 d/a A\nh d/b d/a",
         peers="docker"),
    Case("stage-missing", "COPY x /f\nFROM scratch\nCOPY --from=0 /nosuch /t", fails='"/nosuch": not found', peers="docker"),
    Case("stage-relative", "COPY d /d\nFROM scratch\nCOPY --from=0 d/sub/c t", peers="docker"),
    Case("stage-chown", "COPY --chown=7:8 d /d\nFROM scratch\nCOPY --from=0 --chown=5:6 /d /t", peers="docker"),

    # ---- ADD ----
    Case("add-file", "ADD x /t/"),
    Case("add-directory", "ADD d /t/", peers="docker"),
    *[Case("add-" + kind, "ADD a.bin /t/",
           tree="a a.bin %s\n d 711 e\n f 640 e/f F\n o 3 4 e/f\n l e/l f\n t e/f 1000000000\n h e/h e/f" % kind)
      for kind in ("tar", "gz", "bz2", "xz")],
    Case("add-zst", "ADD a.bin /t/", tree="a a.bin zst\n d 711 e\n f 640 e/f F", peers="",
         differs="docker 20.10 knows no zstd", want={"t/e/f": ("f", 0o640, 0, 0, 1500000000, "F")}),
    Case("add-not-an-archive", "ADD a.tar b.tar.gz /t/", tree="f 644 a.tar text\nf 644 b.tar.gz text"),
    Case("add-gzip-of-no-archive", "ADD a.gz /t/", tree="g a.gz 1000"),
    Case("add-over", "ADD a.tar /", base="d 700 e\no 8 9 e\nf 600 e/old O\nf 600 e/f old\nd 755 e/g\nf 644 e/g/h H",
         tree="a a.tar tar\n d 711 e\n f 640 e/f F\n f 644 e/g G", peers="docker"),
    Case("add-over-twice", "ADD a.tar b.tar /", base="d 755 e\nd 755 e/g\nf 644 e/g/h H",
         tree="a a.tar tar\n d 755 e\n f 644 e/g G\na b.tar tar\n d 755 e\n d 755 e/g\n f 644 e/g/i I", peers="docker"),
    Case("add-through-link", "ADD a.tar /", base="d 755 usr\nd 755 usr/lib\nl lib usr/lib",
         tree="a a.tar tar\n f 640 lib/f F", peers="docker"),
    Case("add-chown", "ADD --chown=5:6 a.tar /t/", tree="a a.tar tar\n d 711 e\n f 640 e/f F\n o 3 4 e/f",
         peers="", differs="BuildKit gives what it unpacks to that user; the classic builder does not",
         want={"t": ("d", 0o755, 5, 6, "now", ""), "t/e/f": ("f", 0o640, 5, 6, 1500000000, "F")}),
    Case("add-unpack-false", "ADD --unpack=false a.tar /t/", tree="a a.tar tar\n f 640 f F", peers="",
         differs="others have no --unpack",
         want={"t/a.tar": ("f", 0o644, 0, 0, 1500000000, None), "t/f": None}),
    Case("copy-archive", "COPY a.tar /t/", tree="a a.tar tar\n f 640 f F"),

    # ---- what only BuildKit has ----
    Case("document", "COPY <<EOF /t\nhello\nEOF", peers="", differs="here-documents",
         want={"t": ("f", 0o644, 0, 0, "now", "hello\n")}),
    Case("document-in-directory", "COPY <<one <<two /t/\n1\none\n2\ntwo", peers="", differs="here-documents",
         want={"t/one": ("f", 0o644, 0, 0, "now", "1\n"), "t/two": ("f", 0o644, 0, 0, "now", "2\n")}),
    Case("link", "COPY --link x /l/", base="d 755 real\nl l real", peers="", differs="--link",
         want={"l": ("d", 0o755, 0, 0, "now", ""), "l/x": ("f", 0o644, 0, 0, 1500000000, "X")}),
    Case("parents", "COPY --parents d/sub/c x /t/", peers="", differs="--parents",
         want={"t/d": ("d", 0o755, 0, 0, 1400000000, ""), "t/d/sub": ("d", 0o700, 0, 0, 1200000000, ""),
               "t/d/sub/c": ("f", 0o600, 0, 0, 1500000000, "C"), "t/x": ("f", 0o644, 0, 0, 1500000000, "X")}),
    Case("parents-pivot", "COPY --parents d/./**/c /t/", peers="", differs="--parents",
         want={"t/sub/c": ("f", 0o600, 0, 0, 1500000000, "C"), "t/a": None}),
    Case("exclude", "COPY --exclude=a --exclude=**/c d /t/", peers="", differs="--exclude",
         want={"t/b": ("f", 0o755, 0, 0, 1500000000, "B"), "t/a": None, "t/sub/c": None}),
]
