package mail

import (
	"io"
	"mime"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
)

// listOf reads an address list and writes its addresses one behind the other.
func listOf(s string) (string, *syntaxError) {
	r := addressReader{b: []byte(s)}
	list, bad := r.list(nil)
	var out []string
	for _, a := range list {
		out = append(out, a.String())
	}
	return strings.Join(out, " "), bad
}

func TestAddressList(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"one", "a@b.com", "a@b.com"},
		{"angle", "<a@b.com>", "a@b.com"},
		{"display name", "Jane Doe <a@b.com>", "a@b.com"},
		{"display name with dots", "John Q. Public <a@b.com>", "a@b.com"},
		{"quoted display name", `"Doe, Jane <x@y.z>" <a@b.com>`, "a@b.com"},
		{"quoted pair in the display name", `"a \" b" <a@b.com>`, "a@b.com"},
		{"UTF-8 display name", "Jürgen Müller <a@b.com>", "a@b.com"},
		{"encoded word of any charset", "=?windows-1252?Q?M=FCller?= <a@b.com>", "a@b.com"},
		{"several", "a@b.com, X <c@d.com>,e@f.com", "a@b.com c@d.com e@f.com"},
		{"folded", "a@b.com,\r\n\tX\r\n <c@d.com>,\n e@f.com\r\n", "a@b.com c@d.com e@f.com"},
		{"comments", "(x) a@b.com (J. (nested \\) ) Doe), <c@d.com>(y)", "a@b.com c@d.com"},
		{"white space within the angles", "< a@b.com >", "a@b.com"},
		{"empty elements", ",a@b.com, ,\r\n ,c@d.com,", "a@b.com c@d.com"},
		{"quoted local part", `"a b"@c.com, X <"d e"@f.com>`, `"a b"@c.com "d e"@f.com`},
		{"M7 empty group", "undisclosed-recipients:;", ""},
		{"empty group with a comment", "undisclosed recipients: (none) ;", ""},
		{"group", "team: a@b.com, X <c@d.com>; , e@f.com", "a@b.com c@d.com e@f.com"},
		{"two groups", "a:b@c.com;,d:e@f.com;", "b@c.com e@f.com"},
		{"nothing", " \r\n\t", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, bad := listOf(tt.in); bad != nil || got != tt.want {
				t.Errorf("%q is %q, %v; want %q", tt.in, got, bad, tt.want)
			}
		})
	}
}

// TestAddressListFault: one fault refuses the whole list and says where it is, and no
// guess is made at what was meant (FAULTS M9).
func TestAddressListFault(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in, fault string
		at              int
	}{
		{"semicolon", "a@b.com; c@d.com", "a ; stands", 7},
		{"no comma", "a@b.com c@d.com", "cannot stand here", 8},
		{"unquoted comma in the name", "Doe, Jane <a@b.com>", "no @", 3},
		{"unquoted at in the name", "a@b.com <a@b.com>", "cannot stand here", 8},
		{"brackets in the name", "[List] X <a@b.com>", "cannot stand here", 0},
		{"colon in the name", "Re: X <a@b.com>", "no closing ;", 15},
		{"no at", "a@b.com, jane", "no @", 13},
		{"space before the at", "jane doe@b.com", "several words", 8},
		{"space after the at", "jane@ b.com", "domain is missing", 0},
		{"open angle", "X <a@b.com", "too early", 10},
		{"open angle and another", "<a@b.com, <c@d.com>", "cannot stand here", 8},
		{"empty angle", "X <>", "address is empty", 3},
		{"double angle", "<<a@b.com>>", "cannot stand here", 1},
		{"M9 source route", "<@x.com,@y.com:a@b.com>", "source routes", 1},
		{"M9 literal", "X <a@[127.0.0.1]>", "literals", 5},
		{"open quote", `a@b.com, "Jane <c@d.com>`, "not closed", 9},
		{"open comment", "a@b.com (c", "not closed", 8},
		{"comment that ends in a backslash", `a@b.com (c\`, "not closed", 8},
		{"group in a group", "a: b: c@d.com;;", "cannot stand here", 4},
		{"open group", "a: c@d.com", "no closing ;", 10},
		{"angle behind angle", "<a@b.com> <c@d.com>", "cannot stand here", 10},
		{"control character", "a@b.com\x1b", "cannot stand here", 7},
		{"second address bad", "a@b.com, X <c@d>", "no dot", 12},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, bad := listOf(tt.in)
			if bad == nil || !strings.Contains(bad.Error(), tt.fault) || bad.at != tt.at {
				t.Fatalf("%q is %q, %+v; want a fault with %q at %d", tt.in, got, bad, tt.fault, tt.at)
			}
		})
	}
}

// FuzzAddressList holds ours against net/mail: where both take a list, they must find
// the same addresses in it.
func FuzzAddressList(f *testing.F) {
	for _, s := range []string{"a@b.com, X <c@d.com>", `"x \" y" <a@b.com>`, "g: a@b.com, c@d.com;", "u:;", "(c) a@b.com (d)",
		`"a b"@c.com`, ",a@b.com,,", "=?utf-8?q?x?= <a@b.com>", "a@b.com\r\n\t,c@d.com", "<a@b.com.>", "J. D. <a@b.com>"} {
		f.Add(s)
	}
	theirs := netmail.AddressParser{WordDecoder: &mime.WordDecoder{
		CharsetReader: func(_ string, r io.Reader) (io.Reader, error) { return r, nil },
	}}
	f.Fuzz(func(t *testing.T, s string) {
		r := addressReader{b: []byte(s)}
		ours, bad := r.list(nil)
		if bad != nil {
			if bad.at < 0 || bad.at > len(s) {
				t.Fatalf("%q: fault at %d", s, bad.at)
			}
			return
		}
		list, err := theirs.ParseList(strings.NewReplacer("\r", "", "\n", "").Replace(s))
		if err != nil {
			return
		}
		var want []Address
		for _, a := range list {
			i := strings.LastIndexByte(a.Address, '@')
			domain, err := CanonicalDomain(a.Address[i+1:])
			if err != nil {
				t.Fatalf("%q was accepted with the domain of %q", s, a.Address)
			}
			want = append(want, Address{a.Address[:i], domain})
		}
		if !slices.Equal(ours, want) {
			t.Fatalf("%q is %v, net/mail has %v", s, ours, want)
		}
	})
}
