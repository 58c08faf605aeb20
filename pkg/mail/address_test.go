package mail

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestParseAddress is FAULTS M9.
func TestParseAddress(t *testing.T) {
	t.Parallel()
	local64, label63 := strings.Repeat("l", 64), strings.Repeat("d", 63)
	for _, tt := range []struct{ name, in, want, fault string }{
		{"plain", "jane.doe+tag@example.com", "jane.doe+tag@example.com", ""},
		{"all atext", "a#$&'*+-/=?^_`{|}~@example.com", "a#$&'*+-/=?^_`{|}~@example.com", ""},
		{"domain case folded, local kept", "Jane@EXAMPLE.Com", "Jane@example.com", ""},
		{"M9 trailing dot", "a@example.com.", "a@example.com", ""},
		{"M9 quoted local kept", `"jane doe"@example.com`, `"jane doe"@example.com`, ""},
		{"quotes without need", `"jane"@example.com`, "jane@example.com", ""},
		{"quoted dots", `"a..b"@example.com`, `"a..b"@example.com`, ""},
		{"quoted pairs", `"a\"b\\c\d"@example.com`, `"a\"b\\cd"@example.com`, ""},
		{"quoted at", `"a@b"@example.com`, `"a@b"@example.com`, ""},
		{"M9 local of 64", local64 + "@example.com", local64 + "@example.com", ""},
		{"underscore in the domain", "a@a_b.com", "a@a_b.com", ""},
		{"IDN", "a@Bücher.example", "a@xn--bcher-kva.example", ""},
		{"IDN with a full-width dot", "a@bücher。example", "a@xn--bcher-kva.example", ""},
		{"M9 IDN homograph is told by its A-label", "a@раypal.com", "a@xn--ypal-43d9g.com", ""},
		{"UTF-8 local", "jürgen@example.com", "jürgen@example.com", ""},

		{"M9 CR", "a\rb@example.com", "", "line end or NUL"},
		{"M9 LF", "a@example.com\n", "", "line end or NUL"},
		{"M9 CRLF and a command", "a@example.com\r\nRCPT TO:<b@example.com", "", "line end or NUL"},
		{"M9 NUL", "a\x00@example.com", "", "line end or NUL"},
		{"M9 NUL in the domain", "a@exam\x00ple.com", "", "line end or NUL"},
		{"M9 quoted CR", "\"a\rb\"@example.com", "", "unprintable"},
		{"M9 quoted NUL", "\"a\x00b\"@example.com", "", "unprintable"},
		{"M9 >", "a>b@example.com", "", "no @"},
		{"M9 > at the end", "a@example.com>", "", "cannot stand here"},
		{"M9 quoted >", `"a>b"@example.com`, "", "angle bracket"},
		{"M9 source route", "@relay.example:a@example.com", "", "source routes"},
		{"M9 percent hack", "a%b.example@example.com", "", "% or !"},
		{"M9 quoted percent", `"a%b"@example.com`, "", "% or !"},
		{"M9 bang path", "host!a@example.com", "", "% or !"},
		{"M9 local of 65", local64 + "l@example.com", "", "65 octets"},
		{"local of 65 by its quotes", `"` + local64[:61] + ` a"@example.com`, "", "65 octets"},
		{"M9 over 254", "a@" + strings.Repeat(label63+".", 3) + label63[:61], "", "255 octets"},
		{"M9 address literal", "a@[127.0.0.1]", "", "address literals"},
		{"M9 IPv6 literal", "a@[IPv6:::1]", "", "address literals"},
		{"bare IPv4 address", "a@127.0.0.1", "", "ends in a number"},
		{"M9 no dot", "a@b", "", "no dot"},
		{"no dot but the final one", "a@b.", "", "no dot"},
		{"M9 leading hyphen", "-a@example.com", "", "hyphen"},
		{"M9 quoted leading hyphen", `"-a"@example.com`, "", "hyphen"},
		{"empty", "", "", "too early"},
		{"no at", "example.com", "", "no @"},
		{"no local", "@example.com", "", "local part is empty"},
		{"empty quoted local", `""@example.com`, "", "local part is empty"},
		{"no domain", "a@", "", "domain is missing"},
		{"two ats", "a@b.com@c.com", "", "more than one @"},
		{"dot first", ".a@example.com", "", "stray dot"},
		{"two dots", "a..b@example.com", "", "stray dot"},
		{"dot last", "a.@example.com", "", "stray dot"},
		{"empty label", "a@b..com", "", "empty label"},
		{"two final dots", "a@b.com..", "", "empty label"},
		{"label over 63", "a@" + label63 + "d.com", "", "64 octets"},
		{"display name", "Jane <a@example.com>", "", "cannot stand here"},
		{"angle brackets", "<a@example.com>", "", "cannot stand here"},
		{"two addresses", "a@b.com,c@d.com", "", "cannot stand here"},
		{"space before", " a@example.com", "", "cannot stand here"},
		{"space after", "a@example.com ", "", "cannot stand here"},
		{"open quote", `"a@example.com`, "", "not closed"},
		{"backslash at the end", `"a\`, "", "not closed"},
		{"atom behind the quotes", `"a"b@example.com`, "", "cannot stand here"},
		{"invalid UTF-8 local", "a\xff@example.com", "", "unprintable"},
		{"bidi override in local", "a\u202eb@example.com", "", "unprintable"},
		{"invalid UTF-8 domain", "a@\xff.com", "", "not UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := ParseAddress(tt.in)
			if tt.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fault) {
					t.Fatalf("ParseAddress(%q) = %v, %v; want an error with %q", tt.in, a, err, tt.fault)
				}
				if !a.IsNull() {
					t.Errorf("refused, but %v came back", a)
				}
				if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
					t.Errorf("raw control characters in %q", err)
				}
				return
			}
			if err != nil || a.String() != tt.want {
				t.Fatalf("ParseAddress(%q) = %q, %v; want %q", tt.in, a, err, tt.want)
			}
		})
	}
}

func TestAddressNull(t *testing.T) {
	t.Parallel()
	if a := (Address{}); !a.IsNull() || a.String() != "" || a.NeedsSMTPUTF8() {
		t.Errorf("the null reverse-path is %q, IsNull %v", a, a.IsNull())
	}
}

func TestAddressNeedsSMTPUTF8(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{"jürgen@example.com": true, "a@bücher.example": false, "a@b.example": false} {
		a, err := ParseAddress(in)
		if err != nil || a.NeedsSMTPUTF8() != want {
			t.Errorf("%s: NeedsSMTPUTF8 %v, %v; want %v", in, a.NeedsSMTPUTF8(), err, want)
		}
	}
}

func TestCanonicalDomain(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a.", 126) + "a"
	for _, tt := range []struct{ in, want, fault string }{
		{"Example.COM", "example.com", ""},
		{"example.com.", "example.com", ""},
		{"localhost", "localhost", ""},
		{"_dmarc.a_b.com", "_dmarc.a_b.com", ""},
		{"r3---sn.example.com", "r3---sn.example.com", ""},
		{"r3---sn.bücher.example", "r3---sn.xn--bcher-kva.example", ""},
		{"straße.example", "xn--strae-oqa.example", ""},
		{"XN--BCHER-KVA.example", "xn--bcher-kva.example", ""},
		{"3com.com", "3com.com", ""},
		{long, long, ""},
		{long + "a", "", "254 octets"},
		{"", "", "empty"},
		{".", "", "is empty"},
		{"..", "", "empty label"},
		{"a..b", "", "empty label"},
		{"ü..b", "", "internationalised"},
		{"ü.b..", "", "internationalised"},
		{strings.Repeat("ü", 1<<20), "", "too long"},
		{"xn--zzzzzzzz99.de", "", "internationalised"},
		{"\ufffd.com", "", "internationalised"},
		{"xn--zn7c.com", "", "internationalised"},
		{"xn--a.com", "", "internationalised"},
		{"-a.com", "", "hyphen"},
		{"a-.com", "", "hyphen"},
		{"a b.com", "", "no host name has"},
		{"a/b.com", "", "no host name has"},
		{"a／b.com", "", "no host name has"},
		{"a:25.com", "", "no host name has"},
		{"a\x00.com", "", "no host name has"},
		{"192.0.2.1", "", "number"},
		{"[192.0.2.1]", "", "no host name has"},
		{"2001:db8::1", "", "no host name has"},
		{strings.Repeat("a", 64) + ".com", "", "64 octets"},
		{strings.Repeat("ü大", 40) + ".com", "", "internationalised"},
	} {
		got, err := CanonicalDomain(tt.in)
		switch {
		case tt.fault != "":
			if err == nil || !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("CanonicalDomain(%q) = %q, %v; want an error with %q", tt.in, got, err, tt.fault)
			}
		case err != nil || got != tt.want:
			t.Errorf("CanonicalDomain(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"a@example.com", `"a b"@example.com`, `"\"\\"@bücher.example.`, "@r:a@b.c", "a@[::1]", "-a@b.c",
		"a%b@c.d", "a@xn--bcher-kva.example", "a..b@c.d", `""@b.c`, "ü@ü.ü", "a@b.c\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			if !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\r\n\x00\x1b") {
				t.Fatalf("the error is not fit for a terminal: %q", err)
			}
			return
		}
		out := a.String()
		if b, err := ParseAddress(out); err != nil || a != b {
			t.Fatalf("%q is %q, which reads back as %v, %v", s, out, b, err)
		}
		if len(out) > 254 || strings.ContainsAny(out, "\r\n\x00<>") || !strings.Contains(a.Domain, ".") || !isASCII(a.Domain) {
			t.Fatalf("%q was accepted as %q", s, out)
		}
	})
}

func FuzzCanonicalDomain(f *testing.F) {
	for _, s := range []string{"example.com.", "bücher.example", "XN--BCHER-KVA.example", "a。b", "x..y", "1.2.3.4", "ß.de"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := CanonicalDomain(s)
		if err != nil {
			return
		}
		if again, err := CanonicalDomain(d); err != nil || again != d {
			t.Fatalf("%q is %q, which is %q, %v", s, d, again, err)
		}
		if len(d) > 253 || strings.Trim(d, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
			t.Fatalf("%q was accepted as %q", s, d)
		}
	})
}
