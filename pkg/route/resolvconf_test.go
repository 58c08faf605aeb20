package route

import (
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// FAULTS D12.
func TestServersFromResolvConf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"usual":       {"# comment\nsearch wild.example corp.example\nnameserver 127.0.0.53\noptions edns0 trust-ad ndots:5\n", []string{"127.0.0.53:53"}},
		"tabs":        {"nameserver\t192.0.2.1   # first\r\n;nameserver 192.0.2.2\n  nameserver 192.0.2.3", []string{"192.0.2.1:53", "192.0.2.3:53"}},
		"IPv6":        {"nameserver ::1\nnameserver fe80::1%eth0\n", []string{"[::1]:53", "[fe80::1%eth0]:53"}},
		"at most 3":   {strings.Repeat("nameserver 192.0.2.1\n", 5), []string{"192.0.2.1:53", "192.0.2.1:53", "192.0.2.1:53"}},
		"bad skip":    {"nameserver\nnameserver dns.example\nnameservers 192.0.2.1\nNAMESERVER 192.0.2.1\nnameserver 192.0.2.4\n", []string{"192.0.2.4:53"}},
		"huge":        {"nameserver 192.0.2.1\n" + strings.Repeat("x", maxResolvConf), []string{"192.0.2.1:53"}},
		"empty":       {"", nil},
		"only search": {"search corp.example\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ServersFromResolvConf(writeFile(t, c.text))
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if c.want == nil && (err == nil || !strings.Contains(err.Error(), "no usable nameserver line in") || !strings.Contains(err.Error(), "[dns] servers =")) {
				t.Errorf("error is %v", err)
			}
			if c.want != nil && err != nil {
				t.Error(err)
			}
		})
	}
	_, err := ServersFromResolvConf(t.TempDir() + "/absent")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "[dns] servers =") {
		t.Errorf("error is %v", err)
	}
	if _, err := ServersFromResolvConf(t.TempDir()); err == nil || !strings.Contains(err.Error(), "read ") {
		t.Errorf("a directory: error is %v", err)
	}
}

func TestParseServer(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"127.0.0.1": "127.0.0.1:53", "127.0.0.1:5353": "127.0.0.1:5353", "::1": "[::1]:53", "[2001:db8::1]:54": "[2001:db8::1]:54",
	} {
		if got, err := ParseServer(in); err != nil || got != netip.MustParseAddrPort(want) {
			t.Errorf("%s: got %v (%v), want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "dns.example", "dns.example:53", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:66000", "[::1]", "1.2.3"} {
		if got, err := ParseServer(in); err == nil || !strings.Contains(err.Error(), "not a DNS server") {
			t.Errorf("%q: got %v, error %v", in, got, err)
		}
	}
}

// FAULTS D12: with a wildcard in the search list a mistyped domain would exist. Names are
// asked as they are, dots or none.
func TestLookupD12NoSearchList(t *testing.T) {
	t.Parallel()
	r, f := one(t, script{})
	for _, domain := range []string{"typo", "typo.example"} {
		_, err := r.Lookup(t.Context(), domain)
		wantKind(t, err, NoSuchDomain)
		if f.count(domain+". MX") != 1 {
			t.Errorf("%s was not asked in full", domain)
		}
	}
	if f.count("") != 2 {
		t.Errorf("%d queries, want 2", f.count(""))
	}
}
