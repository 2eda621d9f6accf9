/* SPDX-License-Identifier: Apache-2.0 */
/* What COPY makes of which trees, and which trees have the same digest. */
#include "copy_cases.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

#define TREE                                                                                      \
	"d 755 d\nf 644 d/a A\nf 755 d/b B\nd 700 d/sub\nf 600 d/sub/c C\nl d/l a\nf 644 x X\nf " \
	"644 y.txt Y\nf 644 z.txt Z\n"

const struct copy_case copy_cases[] = {
	/* ---- files ---- */
	{"a file becomes the target", "x /new", TREE, "new f 644 'X'"},
	{"a file goes into a target with a slash", "x /new/", TREE, "new d 755\nnew/x f 644 'X'"},
	{"a file goes into a directory that is there", "x /dir", TREE,
	 "dir d 700 7:8\ndir/x f 644 'X'",
	 .lower = "d 700 dir\no 7 8 dir\nf 644 dir/x old\nt dir 5\n"},
	{"directories on the way are made", "x /a/b/c", TREE,
	 "a d 755\na/b d 755\na/b/c f 644 'X'"},
	{"a dot at the end of the target is a directory", "x /a/.", TREE, "a d 755\na/x f 644 'X'"},
	{"the root is a target", "x /", TREE, "x f 644 'X'"},
	{"a slash behind a source says nothing", "x/ /new", TREE, "new f 644 'X'"},
	{"dots in a source", "./d/../x /new", TREE, "new f 644 'X'"},
	{"a source cannot lead out", "../../x /new", TREE, "new f 644 'X'"},
	{"old times stay, new ones become the epoch", "x y.txt /",
	 TREE "t x 1000\nt y.txt 2000000000", "x f 644 @1000 'X'\ny.txt f 644 'Y'"},
	{"modes stay", "m /n", "f 4751 m M", "n f 4751 'M'"},
	{"owners of a context are root", "x /n", TREE "o 5 6 x", "n f 644 'X'"},
	{"owners of a stage stay", "x /n", TREE "o 5 6 x", "n f 644 5:6 'X'", .is_stage = true},
	{"set-ID bits of a stage stay", "x /n", "f 6755 x X\no 5 6 x\n", "n f 755 5:6 'X'",
	 .is_stage = true},
	{"a file replaces a file", "x /f", TREE, "f f 644 'X'", .lower = "f 600 f old\n"},
	{"a file replaces a link in a directory", "x /dir/", TREE, "dir d 755\ndir/x f 644 'X'",
	 .lower = "d 755 dir\nl dir/x /etc/passwd\nt dir 5\n"},
	{"a file cannot replace a directory", "x /dir/", TREE,
	 "ERROR cannot replace to directory /dir/x with file", .lower = "d 755 dir\nd 755 dir/x\n"},
	{"a target below a file", "x /f/y", TREE, "ERROR cannot copy to non-directory: /f",
	 .lower = "f 644 f old\n"},

	/* ---- directories ---- */
	{"a directory's contents", "d /new", TREE "t d 7\nt d/sub 8\n",
	 "new d 755\nnew/a f 644 'A'\nnew/b f 755 'B'\nnew/l l 777 -> a\nnew/sub d 700 @8\n"
	 "new/sub/c f 600 'C'"},
	{"the whole context", ". /new/", "f 644 a A\nd 711 b\nt b 9\n",
	 "new d 755\nnew/a f 644 'A'\nnew/b d 711 @9"},
	{"into the root", "d /", "d 755 d\nf 644 d/a A\n", "a f 644 'A'"},
	{"directories merge", "d /t", TREE "t d 7\nt d/sub 8\n",
	 "t d 750 1:2\nt/a f 644 'A'\nt/b f 755 'B'\nt/l l 777 -> a\nt/sub d 700 @8\n"
	 "t/sub/c f 600 'C'",
	 .lower =
		 "d 750 t\no 1 2 t\nd 777 t/sub\no 3 4 t/sub\nf 644 t/sub/old O\nf 644 t/keep K\n"},
	{"a directory does not become a file", "d /f", TREE,
	 "ERROR cannot copy to non-directory: /f", .lower = "f 644 f old\n"},
	{"a directory in a directory does not replace a file", "d /t", TREE,
	 "ERROR cannot copy to non-directory: /t/sub", .lower = "d 755 t\nf 644 t/sub old\n"},
	{"an empty directory", "e /new", "d 755 e\n", "new d 755"},
	{"a file after a directory", "d x /new/", "d 755 d\nf 644 d/a A\nf 644 x X\n",
	 "new d 755\nnew/a f 644 'A'\nnew/x f 644 'X'"},
	{"the later of two files counts", "d/x x /new/", "d 755 d\nf 600 d/x D\nf 644 x X\n",
	 "new d 755\nnew/x f 644 'X'"},

	/* ---- links ---- */
	{"a link as a source is followed", "l /new", "f 600 x X\nl l x\n", "new f 600 'X'"},
	{"it keeps its name", "l /new/", "f 600 x X\nl l x\n", "new d 755\nnew/l f 600 'X'"},
	{"a link to a directory", "l /new", "d 755 d\nf 644 d/a A\nl l d\n",
	 "new d 755\nnew/a f 644 'A'"},
	{"a link on the way", "l/a /new", "d 755 d\nf 644 d/a A\nl l /d\n", "new f 644 'A'"},
	{"a link stays inside", "l /new", "f 600 x X\nl l /../../x\n", "new f 600 'X'"},
	{"a link to nowhere", "l /new", "l l nowhere\n",
	 "ERROR failed to compute cache key: failed to calculate checksum of ref context: \"/l\": "
	 "not found"},
	{"links in a circle", "l /new", "l l k\nl k l\n", "ERROR l: too many links"},
	{"links in directories are links", "d /new", "d 755 d\nl d/e /etc\nl d/n nowhere\n",
	 "new d 755\nnew/e l 777 -> /etc\nnew/n l 777 -> nowhere"},
	{"the target may be a link to a directory", "x /l/", TREE, "real d 755\nreal/x f 644 'X'",
	 .lower = "d 755 real\nl l real\nt real 5\n"},
	{"or lead through one", "x /l/a/b", TREE, "real d 755\nreal/a d 755\nreal/a/b f 644 'X'",
	 .lower = "d 755 real\nl l /../real\n"},
	{"or be one to a file", "x /l", TREE, "real f 644 'X'",
	 .lower = "f 600 real R\nl l real\n"},
	{"or to nothing", "x /l", TREE, "new d 755\nnew/f f 644 'X'", .lower = "l l new/f\n"},
	{"a linked target of a directory", "d /l", "d 755 d\nf 644 d/a A\nt d 6\n",
	 "real d 711\nreal/a f 644 'A'", .lower = "d 711 real\nl l real\n"},
	{"a link that was just copied is followed", "d x /t/l/", "d 755 d\nf 644 x X\n",
	 "t d 755\nt/l d 755\nt/l/x f 644 'X'"},
	{"--link does not know what is below", "x /l/", TREE, "l d 755\nl/x f 644 'X'",
	 .lower = "d 755 real\nl l real\n", .link = true},

	/* ---- patterns ---- */
	{"a pattern", "*.txt /t/", TREE, "t d 755\nt/y.txt f 644 'Y'\nt/z.txt f 644 'Z'"},
	{"a pattern without a match", "*.no /t/", TREE, ""},
	{"a pattern in a directory", "d/[ab] /t/", TREE, "t d 755\nt/a f 644 'A'\nt/b f 755 'B'"},
	{"a pattern for directories", "*/sub /t", TREE "t d/sub 8\n", "t d 755\nt/c f 600 'C'"},
	{"a pattern opens directories", "d* /t/",
	 "d 755 da\nd 755 db\nf 644 da/a A\nf 644 db/b B\n"
	 "t da 3\nt db 4\n",
	 "t d 755\nt/a f 644 'A'\nt/b f 644 'B'"},
	{"a pattern below what is not there", "no/* /t/", TREE,
	 "ERROR lstat /no: no such file or directory"},
	{"many files, one target", "*.txt /t", TREE,
	 "ERROR When using COPY with more than one source file, the destination must be a "
	 "directory "
	 "and end with a /"},
	{"many files, one directory", "*.txt /t", TREE,
	 "t d 755\nt/y.txt f 644 'Y'\nt/z.txt f 644 'Z'", .lower = "d 755 t\nt t 5\n"},
	{"two sources, one target", "x y.txt /t", TREE,
	 "ERROR When using COPY with more than one source file, the destination must be a "
	 "directory "
	 "and end with a /"},
	{"a missing file", "nosuch /t", TREE,
	 "ERROR failed to compute cache key: failed to calculate checksum of ref context: "
	 "\"/nosuch\": not found"},
	{"one of two is missing", "x nosuch /t/", TREE,
	 "ERROR failed to compute cache key: failed to calculate checksum of ref context: "
	 "\"/nosuch\": not found"},
	{"a bracket in brackets is itself", "a[[]0].txt /t/", "f 644 a[0].txt A\n",
	 "t d 755\nt/a[0].txt f 644 'A'"},
	{"a pattern follows links", "l* /t/", "f 600 x X\nl l1 x\n", "t d 755\nt/l1 f 600 'X'"},

	/* ---- ignore files ---- */
	{"what is ignored is not there", "x /t", TREE,
	 "ERROR failed to compute cache key: failed to calculate checksum of ref context: \"/x\": "
	 "not found",
	 .ignore = "x\n"},
	{"nor in a directory", "d /t", TREE "t d 3\n", "t d 755\nt/b f 755 'B'\nt/l l 777 -> a",
	 .ignore = "d/a\nd/sub\n"},
	{"nor for a pattern", "*.txt /t/", TREE, "t d 755\nt/z.txt f 644 'Z'", .ignore = "y*\n"},
	{"what is taken back is there", "d /t", TREE "t d 3\nt d/sub 4\n",
	 "t d 755\nt/sub d 700 @4\nt/sub/c f 600 'C'", .ignore = "d\n!d/sub/c\n"},
	{"by itself, too", "d/sub/c /t", TREE, "t f 600 'C'", .ignore = "d\n!d/sub/c\n"},
	{"through an ignored link", "l /t", "f 600 x X\nl l x\n",
	 "ERROR failed to compute cache key: failed to calculate checksum of ref context: \"/l\": "
	 "not found",
	 .ignore = "x\n"},

	/* ---- --exclude ---- */
	{"excludes", "d /t", TREE "t d 3\nt d/sub 4\n",
	 "t d 755\nt/b f 755 'B'\nt/l l 777 -> a\nt/sub d 700 @4", .excludes = "a **/c"},
	{"excluded directories", "d /t", TREE "t d 3\n",
	 "t d 755\nt/a f 644 'A'\nt/b f 755 'B'\n"
	 "t/l l 777 -> a",
	 .excludes = "sub"},
	{"excludes with exceptions", "d /t", TREE "t d 3\nt d/sub 4\n",
	 "t d 755\nt/sub d 700 @4\nt/sub/c f 600 'C'", .excludes = "* !sub/c"},
	{"excludes of a pattern", "*.txt /t/", TREE, "t d 755\nt/z.txt f 644 'Z'",
	 .excludes = "y*"},

	/* ---- --parents ---- */
	{"parents", "d/sub/c x /t/", TREE "t d 3\nt d/sub 4\n",
	 "t d 755\nt/d d 755 @3\nt/d/sub d 700 @4\nt/d/sub/c f 600 'C'\nt/x f 644 'X'",
	 .parents = true},
	{"parents of a directory", "d/sub /t/", TREE "t d 3\nt d/sub 4\n",
	 "t d 755\nt/d d 755 @3\nt/d/sub d 700 @4\nt/d/sub/c f 600 'C'", .parents = true},
	{"a pivot", "d/./sub/c /t/", TREE "t d 3\nt d/sub 4\n",
	 "t d 755\nt/sub d 700 @4\nt/sub/c f 600 'C'", .parents = true},
	{"a pivot at the beginning", "./d/a /t/", TREE "t d 3\n",
	 "t d 755\nt/d d 755 @3\nt/d/a f 644 'A'", .parents = true},
	{"any depth", "**/c /t/", TREE "t d 3\nt d/sub 4\n",
	 "t d 755\nt/d d 755 @3\nt/d/sub d 700 @4\nt/d/sub/c f 600 'C'", .parents = true},
	{"any depth behind a pivot", "d/./**/c /t/", TREE "t d 3\nt d/sub 4\n",
	 "t d 755\nt/sub d 700 @4\nt/sub/c f 600 'C'", .parents = true},
	{"parents and excludes", "d /t/", TREE "t d 3\n", "t d 755\nt/d d 755 @3\nt/d/b f 755 'B'",
	 .parents = true, .excludes = "d/a d/sub d/l"},
	{"parents of what is missing", "nosuch /t/", TREE,
	 "ERROR failed to compute cache key: failed to calculate checksum of ref context: "
	 "\"/nosuch\": not found",
	 .parents = true},

	/* ---- owners ---- */
	{"a number is its own group", "d /t", "d 755 d\nf 644 d/a A\nt d 3\n",
	 "t d 755 12:12\nt/a f 644 12:12 'A'", .chown = "12"},
	{"two numbers", "x /t/", TREE, "t d 755 12:34\nt/x f 644 12:34 'X'", .chown = "12:34"},
	{"links, too", "d /", "d 755 d\nl d/l x\n", "l l 777 5:6 -> x", .chown = "5:6"},
	{"names", "x /t", TREE, "t f 644 70:71 'X'", .chown = "me",
	 .lower = "d 755 etc\nf 644 etc/passwd me:x:70:71::/:/bin/sh\n"},
	{"names of groups", "x /t", TREE, "t f 644 70:80 'X'", .chown = "me:us",
	 .lower = "d 755 etc\nf 644 etc/passwd me:x:70:71::/:/bin/sh\nf 644 etc/group us:x:80:\n"},
	{"directories that are there keep theirs", "x /dir/", TREE,
	 "dir d 755 1:1\ndir/x f 644 9:9 'X'", .chown = "9",
	 .lower = "d 755 dir\no 1 1 dir\nt dir 5\n"},
	{"an unknown user", "x /t", TREE,
	 "ERROR unable to convert uid/gid chown string to host mapping: can't find uid for user "
	 "nosuch: no such user: nosuch",
	 .chown = "nosuch", .lower = "d 755 etc\n"},
	{"an unknown group", "x /t", TREE,
	 "ERROR unable to convert uid/gid chown string to host mapping: can't find gid for group "
	 "nosuch: no such group: nosuch",
	 .chown = "0:nosuch", .lower = "d 755 etc\n"},
	{"root needs no file", "x /t", TREE "o 4 4 x\n", "t f 644 'X'", .chown = "root:root",
	 .is_stage = true},

	/* ---- modes ---- */
	{"octal", "x /t", TREE, "t f 4711 'X'", .chmod = "4711"},
	{"octal for directories in it", "d /t",
	 "d 755 d\nd 755 d/e\nf 644 d/e/a A\nt d 3\nt d/e 4\n",
	 "t d 755\nt/e d 700 @4\nt/e/a f 700 'A'", .chmod = "0700"},
	{"clauses", "x /t", TREE, "t f 755 'X'", .chmod = "a+x"},
	{"several", "x /t", TREE, "t f 640 'X'", .chmod = "u=rw,g=r,o="},
	{"a capital X", "d /t", "d 755 d\nd 700 d/e\nf 600 d/e/a A\nt d 3\nt d/e 4\n",
	 "t d 755\nt/e d 755 @4\nt/e/a f 644 'A'", .chmod = "go+rX"},
	{"copied bits", "x /t", "f 640 x X\n", "t f 644 'X'", .chmod = "o=g"},
	{"not octal", "x /t", TREE,
	 "ERROR invalid chmod parameter: '888'. it should be octal string and between 0 and 07777",
	 .chmod = "888"},
	{"too large", "x /t", TREE,
	 "ERROR invalid chmod parameter: '17777'. it should be octal string and between 0 and "
	 "07777",
	 .chmod = "17777"},
	{"no mode at all", "x /t", TREE,
	 "ERROR invalid chmod parameter: 'foo'. it should be octal string and between 0 and 07777",
	 .chmod = "foo"},

	/* ---- other kinds ---- */
	{"second names", "d /t", "d 755 d\nf 644 d/a A\nh d/b d/a\nt d 3\n",
	 "t d 755\nt/a f 644 n2 'A'\nt/b f 644 n2 'A'"},
	{"a second name alone", "d/b /t", "d 755 d\nf 644 d/a A\nh d/b d/a\n", "t f 644 'A'"},
	{"pipes", "d /t", "d 755 d\np 644 d/p\nt d 3\n", "t d 755\nt/p p 644"},
	{"a document", "<<EOF /t", "", "t f 644 'text\n'"},
	{"a document in a directory", "<<EOF /t/", "", "t d 755\nt/EOF f 644 'text\n'"},
	{"a document with mode and owner", "<<EOF /t", "", "t f 755 3:3 'text\n'", .chmod = "755",
	 .chown = "3"},
	{"files and documents", "x <<EOF /t/", TREE,
	 "t d 755\nt/EOF f 644 'text\n'\nt/x f 644 'X'"},
	{"a download", "http://x/f /t/", "f 644 f F\n", "t d 755\nt/f f 600 'F'",
	 .is_download = true, .is_add = true},
	{"a download as the target", "http://x/f /t", "f 644 f F\n", "t f 600 'F'",
	 .is_download = true, .is_add = true},
	{"a download with a mode", "http://x/f /t", "f 644 f F\n", "t f 755 'F'",
	 .is_download = true, .is_add = true, .chmod = "755"},
};
const size_t n_copy_cases = N(copy_cases);

const struct digest_case digest_cases[] = {
	{"the same", "d /t", "d 755 d\nf 644 d/a A\n", "d 755 d\nf 644 d/a A\n", .same = true},
	{"other times", "d /t", "d 755 d\nf 644 d/a A\nt d/a 1\n",
	 "d 755 d\nf 644 d/a A\nt d/a 2\n", .same = true},
	{"another content", "d /t", "d 755 d\nf 644 d/a A\n", "d 755 d\nf 644 d/a B\n"},
	{"another name", "d /t", "d 755 d\nf 644 d/a A\n", "d 755 d\nf 644 d/b A\n"},
	{"another mode", "d /t", "d 755 d\nf 644 d/a A\n", "d 755 d\nf 600 d/a A\n"},
	{"another mode of a directory", "d /t", "d 755 d\nd 755 d/e\n", "d 755 d\nd 700 d/e\n"},
	{"another kind", "d /t", "d 755 d\nf 644 d/a\n", "d 755 d\np 644 d/a\n"},
	{"another link", "d /t", "d 755 d\nl d/a x\n", "d 755 d\nl d/a y\n"},
	{"one more", "d /t", "d 755 d\nf 644 d/a A\n", "d 755 d\nf 644 d/a A\nf 644 d/b B\n"},
	{"owners of a context", "x /t", "f 644 x X\n", "f 644 x X\no 1 1 x\n", .same = true},
	{"owners of a stage", "x /t", "f 644 x X\n", "f 644 x X\no 1 1 x\n", .is_stage = true},
	{"attributes", "x /t", "f 644 x X\n", "f 644 x X\nx x user.a 1\n"},
	{"values of attributes", "x /t", "f 644 x X\nx x user.a 2\n", "f 644 x X\nx x user.a 1\n"},
	{"second names", "d /t", "d 755 d\nf 644 d/a A\nf 644 d/b A\n",
	 "d 755 d\nf 644 d/a A\nh d/b d/a\n"},
	{"what is not copied", "x /t", "f 644 x X\n", "f 644 x X\nf 644 y Y\n", .same = true},
	{"what is ignored", "d /t", "d 755 d\nf 644 d/a A\n", "d 755 d\nf 644 d/a A\nf 644 d/b B\n",
	 .ignore = "d/b\n", .same = true},
	{"which a pattern finds", "*.t /t/", "f 644 a.t A\n", "f 644 b.t A\n"},
};
const size_t n_digest_cases = N(digest_cases);
