package courier_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// D9: addresses that lead back to this host or into a private network are refused, unless that
// is allowed; where there are no others the mail is taken for a loop.
func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{
		"127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255",
		"::1", "::", "fe80::1", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "ff02::1",
		"192.0.2.201", // one of the pool's own
	} {
		t.Run(addr, func(t *testing.T) {
			t.Parallel()
			kind := "A"
			if strings.Contains(addr, ":") {
				kind = "AAAA"
			}
			private := fmt.Sprintf("fault MX 5 mx.private\nmx.private %s %s\n", kind, addr)
			w := newWorld(t, private)
			w.pool("192.0.2.201", "2001:db8::201")
			link, o := walk(t, courier.New(w.cfg), forced())
			if link != nil || o.Status != delivery.Bounced || o.Reason != policy.MailLoop || o.Enhanced.String() != "5.4.6" || !strings.Contains(o.Text, "allow_private_addresses") {
				t.Errorf("%+v %+v", link, o)
			}
			if len(w.dialled) != 0 {
				t.Errorf("dialled %q", w.dialled)
			}
			w.cfg.AllowPrivate = true
			if link, o := walk(t, courier.New(w.cfg), forced()); link != nil || o.Reason != policy.ConnectFailed || len(w.dialled) != 1 {
				t.Errorf("allowed: %+v %+v, dialled %q", link, o, w.dialled)
			}
		})
	}
	t.Run("beside a good one", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, "fault MX 5 mx.private\nmx.private A 10.1.2.3\n", sandbox.Host{})
		link, o := walk(t, courier.New(w.cfg), forced())
		if link == nil || len(o.Attempts) != 1 || o.Attempts[0].Reason != policy.MailLoop {
			t.Errorf("%+v %+v", link, o)
		}
	})
	t.Run("beside one that is down", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, "fault MX 5 mx.private\nmx.private A 10.1.2.3\n", sandbox.Host{Reach: sandbox.Refuses})
		if link, o := walk(t, courier.New(w.cfg), forced()); link != nil || o.Status != delivery.Deferred || o.Reason != policy.ConnectFailed {
			t.Errorf("%+v %+v", link, o)
		}
	})
}

// What the DNS says about a domain, before anything is dialled (SPEC §4, FAULTS D).
func TestResolving(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, zone string
		rcode      string
		status     delivery.Status
		reason     policy.Reason
		codes      string
	}{
		{"D1", "other A 192.0.2.1\n", "", delivery.Bounced, policy.NoSuchDomain, "550 5.1.2"},
		{"D2", "fault MX 10 mx.fault\n", "fault.test", delivery.Deferred, policy.DNSFailure, "451 4.4.3"},
		{"D3/no address", "fault TXT x\n", "", delivery.Bounced, policy.NoMailHost, "550 5.4.4"},
		{"D3/implicit", "fault A 192.0.2.99\n", "", delivery.Deferred, policy.ConnectFailed, "451 4.4.1"},
		{"D4", "fault MX 0 .\n", "", delivery.Bounced, policy.NullMX, "556 5.1.10"},
		{"D5/all skipped", "fault MX 10 mx.none\nfault A 192.0.2.99\n", "", delivery.Bounced, policy.NoMailHost, "550 5.4.4"},
		{"D5/one skipped", "fault MX 10 mx.none\nfault MX 20 mx.down\nmx.down A 192.0.2.99\n", "", delivery.Deferred, policy.ConnectFailed, "451 4.4.1"},
		{"D6/all fail", "fault MX 10 mx.bad\nfault MX 20 mx.down\nmx.down A 192.0.2.99\n", "mx.bad.test", delivery.Deferred, policy.ConnectFailed, "451 4.4.1"},
		{"D6/only", "fault MX 10 mx.bad\n", "mx.bad.test", delivery.Deferred, policy.DNSFailure, "451 4.4.3"},
	} {
		for name, d := range map[string]courier.Destination{"forced": forced(), "opportunistic": opportunistic()} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, c.zone)
				if c.rcode != "" {
					w = newFailingWorld(t, c.zone, c.rcode)
				}
				link, o := walk(t, courier.New(w.cfg), d)
				if link != nil || o.Status != c.status || o.Reason != c.reason || fmt.Sprintf("%d %s", o.Code, o.Enhanced) != c.codes || o.Text == "" {
					t.Errorf("%+v %+v", link, o)
				}
			})
		}
	}
	t.Run("D6/good", func(t *testing.T) {
		t.Parallel()
		w := newFailingWorld(t, "fault MX 5 mx.bad\n", "mx.bad.test", sandbox.Host{})
		if link, o := walk(t, courier.New(w.cfg), forced()); link == nil || len(o.Attempts) != 1 || o.Attempts[0].Reason != policy.DNSFailure {
			t.Errorf("%+v %+v", link, o)
		}
	})
}

// D7: no storm, however many hosts and addresses a domain names.
func TestLimits(t *testing.T) {
	t.Parallel()
	var many, wide strings.Builder
	for i := range 200 {
		fmt.Fprintf(&many, "fault MX %d mx%d.many\nmx%d.many A 192.0.2.%d\n", 10+i/50, i, i, 100+i%100)
	}
	wide.WriteString("fault MX 10 mx.wide\n")
	for i := range 200 {
		fmt.Fprintf(&wide, "mx.wide A 198.51.100.%d\n", 1+i)
	}
	for name, c := range map[string]struct {
		zone string
		want int
	}{"hosts": {many.String(), 10}, "addresses": {wide.String(), 20}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.zone)
			link, o := walk(t, courier.New(w.cfg), forced())
			if link != nil || o.Status != delivery.Deferred || len(o.Attempts) != c.want || len(w.dialled) != c.want {
				t.Errorf("%d attempts, dialled %d, want %d: %v", len(o.Attempts), len(w.dialled), c.want, link)
			}
		})
	}
}

// D8: hosts are asked by preference, all addresses of each.
func TestOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "fault MX 65535 c\nfault MX 10 b\nfault MX 0 a\na A 192.0.2.91\na A 192.0.2.92\nb A 192.0.2.93\nc A 192.0.2.94\n")
	if link, o := walk(t, courier.New(w.cfg), forced()); link != nil || o.Status != delivery.Deferred {
		t.Errorf("%+v %+v", link, o)
	}
	first := slices.Sorted(slices.Values(w.dialled[:min(2, len(w.dialled))]))
	if got, want := strings.Join(append(first, w.dialled[len(first):]...), " "), "->192.0.2.91 ->192.0.2.92 ->192.0.2.93 ->192.0.2.94"; got != want {
		t.Errorf("dialled %q, want %q", got, want)
	}
}
