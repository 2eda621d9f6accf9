// SPDX-License-Identifier: Apache-2.0

// Writes tests/data/globs.json, what Go's path.Match and filepath.Clean say. On Unix filepath.Match is
// the same, but that older ones do not look for mistakes in what is left of a pattern.
//
//	go run tests/docker/record_globs.go >tests/data/globs.json
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

var names = []string{"", "a", "b", "ab", "abc", "abcd", "a/b", "a/b/c", "/a", "a.go", "main.go", "main_test.go", ".a", "-", "]", "[", "[]", "^", "!", "a-b", "a*b", "a?b", "a\\b", "\\", "*", "x", "z", "0", "9", "é", "日本", "日/本", "\x80", "a\x80", "file[0].txt", "file0.txt", "arr", "aaaaaaaaaaaaaaaaaaaa!", "dir/a.go", "a ", " a", "a\n"}

var fixed = []string{
	"", "a", "abc", "*", "**", "***", "?", "??", "???", "*c", "a*", "a*/b", "a*b*c*d*e*/f", "a*b?c*x", "ab[c]", "ab[b-d]", "ab[e-g]", "ab[^c]", "ab[^b-d]", "ab[^e-g]", "a\\*b", "a?b", "a[^a]b", "a???b", "a[^a][^a][^a]b", "[a-ζ]*", "*[a-ζ]", "a?b", "a*b", "[\\]a]", "[\\-]", "[x\\-]", "[\\-x]", "[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[", "[^", "[^bc", "a[", "*x", "*.go", "*_test.go", "main*.go", "*.*", ".*", "[!a]", "[^!]", "[a", "[a-", "[a-]", "[^a-b]", "[b-a]", "[]", "[^]", "[]]", "[^]]", "\\", "a\\", "\\a", "\\[", "\\]", "\\\\", "[\\\\]", "file[[]0].txt", "file\\[0\\].txt", "file[0].txt", "*/*", "*/*/*", "?/?", "a/*", "*/b", "/*", "[/]", "a[/]b", "a[^x]b", "é", "?é", "[é]", "[à-ü]", "日*", "*本", "[日月]*", "\x80", "[\x80]", "[a-\x80]", "?\x80", "*a*a*a*a*b", "a*a*a*a*a*a*a*a*a*a*a!", "*[", "x[", "x*[", "a*[", "b*[]", "[a-c]*[", "a\\", "x\\", "*\\", "[^\\]", "[\\", "[a\\", "[\\a-\\c]", "**/*.go", "*.{go,c}", "a{2}", "(a)", "$", "^", "[^^]", "[a^]", "+", "a+", "a|b", "a b", "* ", " *",
}

var atoms = []string{"a", "b", "c", ".go", "*", "?", "/", "[a-c]", "[^a]", "[^a-b]", "[]", "[a", "\\a", "\\*", "é", "[é]", "[b-]", "]", "-", "x"}

func gen(r *rand.Rand) string {
	var b strings.Builder
	for n := 1 + r.Intn(5); n > 0; n-- {
		b.WriteString(atoms[r.Intn(len(atoms))])
	}
	return b.String()
}

func answer(pattern string) string {
	var b strings.Builder
	for _, name := range names {
		ok, err := path.Match(pattern, name)
		switch {
		case err != nil:
			b.WriteByte('e')
		case ok:
			b.WriteByte('1')
		default:
			b.WriteByte('0')
		}
	}
	return b.String()
}

// A text as JSON with each byte as one character, since not all of these are UTF-8.
func bytesOf(s string) string {
	r := make([]rune, 0, len(s))
	for i := 0; i < len(s); i++ {
		r = append(r, rune(s[i]))
	}
	t, _ := json.Marshal(string(r))
	return string(t)
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprintf(out, "{\"go\":%q,\n\"names\":[", runtime.Version())
	for i, n := range names {
		if i > 0 {
			out.WriteString(",")
		}
		out.WriteString(bytesOf(n))
	}
	out.WriteString("],\n\"cases\":[\n")
	r := rand.New(rand.NewSource(7))
	seen := map[string]bool{}
	all := append([]string{}, fixed...)
	for len(all) < 400 {
		all = append(all, gen(r))
	}
	sep := ""
	for _, p := range all {
		if seen[p] {
			continue
		}
		seen[p] = true
		fmt.Fprintf(out, "%s[%s,%q]", sep, bytesOf(p), answer(p))
		sep = ",\n"
	}
	out.WriteString("\n],\n\"clean\":[\n")
	paths := []string{"", ".", "..", "/", "//", "/.", "/..", "/../a", "a", "a/", "a//b", "a/./b", "a/../b", "a/../../b", "../a", "../../a", "a/..", "a/../..", "./a", "./../a", "/a/../b", "/a/b/../../..", "a/b/c/../../d", "...", ".../a", "a/...", "..a", "a..", "./", "a/.", "a/b/..", "!a/../b", "!./a", "/a//b/", "a/b/../c/./../..", "../a/..", "../a/../..", "é/../b", " a / b "}
	sep = ""
	for _, p := range paths {
		fmt.Fprintf(out, "%s[%s,%s]", sep, bytesOf(p), bytesOf(filepath.Clean(p)))
		sep = ",\n"
	}
	out.WriteString("\n]}\n")
}
