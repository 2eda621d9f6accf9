// SPDX-License-Identifier: Apache-2.0

// Writes tests/data/patterns.json, what Go's regexp says to written and to made-up expressions:
//
//	go run tests/docker/record_patterns.go >tests/data/patterns.json
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"regexp"
	"runtime"
	"strings"
)

var texts = []string{"", "a", "b", "A", "aa", "ab", "ba", "abc", "ABC", "aab", "abab", "web", "web1", "web-1", "/web", "my_web.2", "WEB", "k", "S", "1", "42", "0123456789abcdef", "a b", "a\nb", "a\n", "\n", "\t", ".", "-", "_", "a.b", "axb", "a-b", "a{2}", "[a]", "a|b", "(", "*", "^", "$", "\\", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"}

var fixed = []string{
	"", "a", "a|b", "^a$", "^/?web$", "web[0-9]+", "^web-\\d{1,3}$", "(?i)WEB", "(?i:w)eb", "(?-i)a", "(?i)k", "(?i)[a-z]+$", "(?i)[^a-z]", "(?i)\\w", "(?s)a.b", "a.b", "(?m)^b$", "(?m)a$", "(?m:^)b", "a$", "a\\z", "\\Aa", "\\ba\\b", "a\\Bb", "\\B", "\\b",
	"a*", "a+", "a?", "a*?", "a+?", "a??", "a**", "a*+", "a?+", "a{2}", "a{2,}", "a{,2}", "a{2,3}", "a{2}{3}", "a{2}*", "a{2}?", "a{0}", "a{0,0}b", "a{1001}", "a{1000}", "a{1,1001}", "a{3,2}", "(a{100}){11}", "((a{10}){10}){10}", "((a{10}){10}){11}", "(a{0}){1000}{1}", "a{01}", "a{1,01}", "a{99999999999}", "a{1,99999999999}", "a{", "a{}", "a{a}", "a{1", "a{1,", "a{1,x}", "{", "{1}", "{,1}", "}", "a}", "x{0,1000}",
	"*", "+", "?", "*a", "|*", "(*)", "(|*)", "^*", "$*", "\\b+", "^+a", "(?i)*", "a(?i)*", "a*(?i)*", "()*", "(a*)*", "(a*)+", "(a|b)*c", "(a|)+", "(|a)+", "(a?){3}", "((a))", "(a|b|)", "|", "||", "a||b", "(|)", "()", "a()b",
	"(", ")", "a)", "(a", "((a)", "(?", "(?)", "(?:", "(?:a", "(?:a)", "(?P<n>a)", "(?P<n>a)(?P<n>b)", "(?P<n>a)(?P<m>b)", "(?P<>a)", "(?P<n-m>a)", "(?P<n", "(?P=n)", "(?P>n)", "(?P<é>a)", "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?>a)", "(?#c)", "(?i-)a", "(?-)a", "(?--i)a", "(?i-s:a)", "(?imsU)a", "(?x)a", "(?U)a+", "(?U:a+?)b", "(?i)a(?-i)b", "(?i:a|b)c", "(?ii)a", "(?i", "(?i:", "a(?i)b|c", "(a(?i)b)c", "(?s).", ".", "(?s:.)a",
	"[a]", "[^a]", "[]a]", "[^]a]", "[a", "[", "[]", "[^]", "[^", "[a-c]", "[c-a]", "[a-]", "[-a]", "[a-b-c]", "[a\\-c]", "[\\]]", "[\\\\]", "[a-\\d]", "[\\d-a]", "[\\w.-]+$", "[[:alpha:]]", "[[:^alpha:]]", "[[:foo:]]", "[[:alpha:]", "[[:alpha]]", "[:alpha:]", "[[:alnum:]_]", "[[:word:]]", "[[:space:]]", "[[:punct:]]", "[[:cntrl:]]", "[[:graph:]]", "[[:print:]]", "[[:blank:]]", "[[:xdigit:]]+$", "[[:upper:]]", "[[:lower:]]", "[[:digit:]-a]", "[^[:alpha:]]", "[[:]", "[[:a]", "[a[:digit:]b]", "[\\n]", "[\\x41]", "[\\x{41}-\\x{43}]", "[\\101]", "[\\Q]", "[\\b]", "[\\A]", "[a&&b]", "[.]", "[*]", "[|]", "[$^]", "[^\\n]", "[^\\s]", "[\\S]", "[\\D\\W]", "[^\\D]", "[\\p{L}]", "[^\\p{L}]", "[\\pL1]", "(?i)[K]", "(?i)\u212a", "(?i)\u017f", "(?i)[\\W]", "(?i)\\W", "(?i)[^k]",
	"\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "\\p", "\\pL", "\\pN", "\\PL", "\\p{L}", "\\p{Lu}", "\\p{Ll}", "\\p{^L}", "\\P{^L}", "\\p{Greek}", "\\P{Greek}", "\\p{Latin}", "\\p{latin}", "\\p{Nope}", "\\p{}", "\\p{", "\\p{L", "\\pX", "\\p{Any}", "\\p{Common}", "\\p{P}", "\\p{S}", "\\p{Z}", "\\p{C}", "\\p{Pd}", "\\p{Pc}", "\\p{Ps}", "\\p{Pe}", "\\p{Po}", "\\p{Sm}", "\\p{Sc}", "\\p{Sk}", "\\p{Zs}", "\\p{Nd}", "\\p{Cc}", "\\p{Old_Italic}", "(?i)\\p{Lu}", "(?i)\\p{Ll}", "(?i)\\P{Lu}",
	"\\", "\\a", "\\c", "\\e", "\\f", "\\n", "\\r", "\\t", "\\v", "\\0", "\\00", "\\012", "\\1", "\\12", "\\8", "\\9", "\\x", "\\x4", "\\x41", "\\xzz", "\\x{41}", "\\x{}", "\\x{110000}", "\\x{10FFFF}", "\\x{41", "\\u0041", "\\U", "\\k", "\\g", "\\z", "\\Z", "\\A", "\\G", "\\K", "\\R", "\\X", "\\C", "\\h", "\\N", "\\l", "\\L", "\\i", "\\_", "\\-", "\\.", "\\*", "\\/", "\\é", "\\ ", "\\{", "\\}", "\\|",
	"\\Qa.b\\E", "\\Qa.b", "\\Q\\E", "\\Qa\\E*", "\\Qab\\E+c", "\\Q(", "\\Q\\\\E", "\\E", "a\\E", "\\Q\\E*", "a\\Q\\E*", "(?i)\\QA.B\\E",
	"é", "日本", "[é-ü]", ".", "^.$", "^..$", "a\x00b", "(a+)+$", "(a|aa)+$", "(a*)*b", "(.*)(.*)(.*)(.*)(.*)x", "((a?){20}){20}b",
}

var atoms = []string{"a", "b", "c", ".", "\\d", "\\w", "\\s", "\\W", "\\D", "[ab]", "[^a]", "[a-c]", "[0-9a-f]", "[[:alpha:]]", "\\.", "-", "_", "^", "$", "\\b", "\\B", "\\A", "\\z", "web", "1", "A", "\\pL", "\\n", "/"}
var ops = []string{"", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,1}", "{2,}", "*?", "+?", "??", "{,3}", "**"}

func gen(r *rand.Rand, depth int) string {
	var b strings.Builder
	n := 1 + r.Intn(4)
	for i := 0; i < n; i++ {
		if depth > 0 && r.Intn(4) == 0 {
			b.WriteString([]string{"(", "(?:", "(?i:", "(?s:", "(?m:", "(?i)(", "(?U:"}[r.Intn(7)])
			b.WriteString(gen(r, depth-1))
			for r.Intn(3) == 0 {
				b.WriteString("|" + gen(r, depth-1))
			}
			b.WriteString(")")
		} else {
			b.WriteString(atoms[r.Intn(len(atoms))])
		}
		b.WriteString(ops[r.Intn(len(ops))])
	}
	if r.Intn(6) == 0 {
		b.WriteString("|" + gen(r, 0))
	}
	return b.String()
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	r := rand.New(rand.NewSource(1))
	seen := map[string]bool{}
	list := []string{}
	for _, p := range fixed {
		if !seen[p] && !strings.Contains(p, "\x00") {
			seen[p] = true
			list = append(list, p)
		}
	}
	for len(list) < 2000 {
		p := gen(r, 2)
		if !seen[p] && len(p) < 60 {
			seen[p] = true
			list = append(list, p)
		}
	}
	j := func(v any) string {
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.Encode(v)
		return strings.TrimSpace(b.String())
	}
	fmt.Fprintf(out, "{\n\"recorded\": \"regexp of %s\",\n\"texts\": %s,\n\"cases\": [\n", runtime.Version(), j(texts))
	for i, p := range list {
		re, err := regexp.Compile(p)
		m := "null"
		if err == nil {
			m = ""
			for _, t := range texts {
				if re.MatchString(t) {
					m += "1"
				} else {
					m += "0"
				}
			}
			m = "\"" + m + "\""
		}
		c := ","
		if i == len(list)-1 {
			c = ""
		}
		fmt.Fprintf(out, "[%s, %s]%s\n", j(p), m, c)
	}
	fmt.Fprintf(out, "]\n}\n")
}
