package cmd

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/route"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// wholesome is a patient with nothing wrong, and no network but the loopback.
func wholesome(t *testing.T, servers ...string) *patient {
	t.Helper()
	cfg, problems := config.Load("")
	p := &patient{
		uid: os.Getuid(), getenv: func(string) string { return "" },
		now: time.Now, earlier: buildTime(),
		cfg: cfg, problems: problems, state: filepath.Join(t.TempDir(), "state"),
		servers: servers, hostname: "mta1.clinic.example", connect: 2 * time.Second, replies: 2 * time.Second,
		resolver: func(servers ...string) *route.Resolver {
			return route.New(route.Options{Servers: servers, TrustAD: true, Timeout: 2 * time.Second})
		},
		dial: courier.NetDial,
		bind: func(context.Context, netip.Addr) error { return nil },
		source: func(context.Context, netip.AddrPort) (netip.Addr, error) {
			return netip.MustParseAddr("192.0.2.10"), nil
		},
		volume: func(string) (volume, error) { return volume{freeBytes: 1 << 40}, nil },
		clock:  func() (bool, bool) { return true, true },
	}
	p.names = p.resolver(servers...)
	return p
}

// says holds a finding against what it should be: the result, and parts of what was found and of the hint.
func says(t *testing.T, f finding, want verdict, parts ...string) {
	t.Helper()
	if f.Result != want {
		t.Errorf("%s: %s (%s; %s), want %s", f.Name, f.Result, f.Found, f.Hint, want)
	}
	for _, part := range parts {
		if !strings.Contains(f.Found+"\n"+f.Hint, part) {
			t.Errorf("%s: found %q, hint %q; %q is in neither", f.Name, f.Found, f.Hint, part)
		}
	}
	if (f.Result == verdictFault || f.Result == verdictWarning) && f.Hint == "" {
		t.Errorf("%s: %s without what to do about it", f.Name, f.Found)
	}
	if f.Result == verdictFault && f.status == exitOK {
		t.Errorf("%s: a fault without an exit status", f.Name)
	}
}

// serveZone runs a name server on the loopback.
func serveZone(t *testing.T, text string, signed func(string) bool) string {
	t.Helper()
	zone, err := sandbox.ParseZone(text)
	if err != nil {
		t.Fatal(err)
	}
	zone.Authentic = signed
	dns, err := sandbox.ServeDNS(zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dns.Close(); err != nil {
			t.Error(err)
		}
	})
	return dns.Addr()
}

func TestDoctorResolvers(t *testing.T) {
	t.Parallel()
	signed := serveZone(t, "", func(string) bool { return true })
	plain := serveZone(t, "", nil)
	const dead = "127.0.0.1:1"
	for _, tt := range []struct {
		name    string
		servers []string
		want    []verdict
		found   string // in the first finding
	}{
		{"validates", []string{signed}, []verdict{verdictOK}, "validates DNSSEC"},
		{"does not validate", []string{plain}, []verdict{verdictWarning}, "does not validate"},
		{"silent", []string{dead}, []verdict{verdictFault}, dead},
		{"one of two silent", []string{dead, signed}, []verdict{verdictWarning, verdictOK, verdictOK}, dead},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			found := wholesome(t, tt.servers...).resolvers(t.Context())
			if len(found) != len(tt.want) {
				t.Fatalf("%d findings, want %d: %+v", len(found), len(tt.want), found)
			}
			says(t, found[0], tt.want[0], tt.found)
			for i := range found {
				says(t, found[i], tt.want[i])
			}
		})
	}
	p := wholesome(t)
	p.serversErr = errors.New("/etc/resolv.conf names no server") // D12
	found := p.resolvers(t.Context())
	says(t, found[0], verdictFault, "names no server", "[dns] servers")
	if found[0].status != exitConfig {
		t.Errorf("exit status %d", found[0].status)
	}
}

// The AD bit counts from the loopback, or with trust_ad; a list that mixes both is warned of.
func TestDoctorTrust(t *testing.T) {
	t.Parallel()
	const near, far = "127.0.0.53:53", "192.0.2.53:53"
	p := wholesome(t, near, "[::1]:53", far)
	says(t, p.validates(checkOf{}, far, true), verdictWarning, "another host", "trust_ad = true")
	says(t, p.validates(checkOf{}, near, true), verdictOK)
	says(t, p.trust(), verdictWarning, "127.0.0.53:53, [::1]:53 is believed, 192.0.2.53:53 not")
	p.cfg.Settings.DNS.TrustAD = true
	says(t, p.validates(checkOf{}, far, true), verdictOK)
	says(t, p.validates(checkOf{}, far, false), verdictWarning, "does not validate")
	says(t, p.trust(), verdictOK)
}

const namesZone = `
mta1.clinic.example. A 192.0.2.10
mta1.clinic.example. AAAA 2001:db8::10
mta2.clinic.example. A 192.0.2.11
other.example. A 192.0.2.12
10.2.0.192.in-addr.arpa. PTR mta1.clinic.example.
11.2.0.192.in-addr.arpa. PTR mta1.clinic.example.
12.2.0.192.in-addr.arpa. PTR other.example.
0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR mta1.clinic.example.
`

// Names and addresses: the EHLO name leads to the address, its PTR record to the name.
func TestDoctorNames(t *testing.T) {
	t.Parallel()
	p := wholesome(t, serveZone(t, namesZone, nil))
	for _, tt := range []struct {
		address, ehlo string
		want          verdict
		found         string
	}{
		{"192.0.2.10", "mta1.clinic.example", verdictOK, "leads back"},
		{"192.0.2.10", "MTA1.Clinic.Example.", verdictOK, "mta1.clinic.example"},
		{"2001:db8::10", "mta1.clinic.example", verdictOK, "leads back"},
		{"192.0.2.10", "mta2.clinic.example", verdictWarning, "EHLO says mta2.clinic.example, the PTR record says mta1.clinic.example"},
		{"192.0.2.11", "mta2.clinic.example", verdictFault, "does not lead back"},
		{"192.0.2.12", "mta1.clinic.example", verdictWarning, "other.example"},
		{"192.0.2.13", "mta1.clinic.example", verdictFault, "no PTR record"},
		{"192.0.2.13", "mta1", verdictFault, "this host's public name"},
		{"10.1.2.3", "mta1.clinic.example", verdictUnknown, "others never see this address"},
	} {
		f := p.reverse(t.Context(), config.Source{Address: netip.MustParseAddr(tt.address), EHLO: tt.ehlo})
		t.Run(tt.address+" "+tt.ehlo, func(t *testing.T) { says(t, f, tt.want, tt.found) })
	}
	for _, tt := range []struct {
		name  string
		addrs []string
		want  verdict
		found string
	}{
		{"mta1.clinic.example", nil, verdictOK, "192.0.2.10, 2001:db8::10"},
		{"mta1.clinic.example", []string{"192.0.2.10", "2001:db8::10"}, verdictOK, ""},
		{"mta1.clinic.example", []string{"192.0.2.10", "192.0.2.11"}, verdictWarning, "not to 192.0.2.11, which"},
		{"mta9.clinic.example", nil, verdictFault, "no address in the DNS"},
		{"mta1", nil, verdictWarning, "no public host name"},
		{"mta1.clinic.internal", nil, verdictWarning, "no public host name"},
	} {
		n := ehlo{name: tt.name}
		for _, a := range tt.addrs {
			n.addrs = append(n.addrs, netip.MustParseAddr(a))
		}
		f := p.ehloName(t.Context(), n)
		t.Run(tt.name, func(t *testing.T) { says(t, f, tt.want, tt.found) })
	}
}

// Without a resolver nothing is known of names, which is no fault of theirs.
func TestDoctorNamesUnknown(t *testing.T) {
	t.Parallel()
	p := wholesome(t, "127.0.0.1:1")
	says(t, p.ehloName(t.Context(), ehlo{name: "mta1.clinic.example"}), verdictUnknown, "127.0.0.1:1")
	says(t, p.reverse(t.Context(), config.Source{Address: netip.MustParseAddr("192.0.2.10"), EHLO: "x.example"}), verdictUnknown)
	says(t, p.tryEgress(t.Context(), egressTarget{"modern.test", 25})[0], verdictUnknown)
}

func TestDoctorAddresses(t *testing.T) {
	t.Parallel()
	p := wholesome(t, serveZone(t, namesZone, nil))
	says(t, p.systemAddress(t.Context()), verdictOK, "192.0.2.10: PTR record mta1.clinic.example")
	p.source = func(context.Context, netip.AddrPort) (netip.Addr, error) { return netip.MustParseAddr("10.0.0.7"), nil }
	says(t, p.systemAddress(t.Context()), verdictUnknown, "10.0.0.7")
	p.source = func(context.Context, netip.AddrPort) (netip.Addr, error) {
		return netip.Addr{}, errors.New("network is unreachable")
	}
	says(t, p.systemAddress(t.Context()), verdictFault, "network is unreachable")

	p.bind = bindTo // C10
	says(t, p.bindable(t.Context(), config.Source{Address: netip.MustParseAddr("127.0.0.1")}), verdictOK)
	says(t, p.bindable(t.Context(), config.Source{Address: netip.MustParseAddr("192.0.2.222")}), verdictFault, "[pools] in sendctl.toml")
	if addr, err := sourceTo(t.Context(), netip.MustParseAddrPort("127.0.0.1:25")); err != nil || !addr.IsLoopback() {
		t.Errorf("from %s to the loopback, %v", addr, err)
	}

	p.cfg.Settings.Pools = map[string]config.Pool{
		"a": {Sources: []config.Source{{Address: netip.MustParseAddr("192.0.2.11"), EHLO: "mta2.clinic.example"}, {Address: netip.MustParseAddr("192.0.2.10")}}},
		"b": {Sources: []config.Source{{Address: netip.MustParseAddr("192.0.2.10"), EHLO: "mta1.clinic.example"}}},
	}
	if got := p.sources(); len(got) != 2 || got[0].EHLO != "mta1.clinic.example" || p.unsourced() {
		t.Errorf("sources %v, unsourced %v", got, p.unsourced())
	}
	if got := p.greetings(); len(got) != 2 || got[1].name != "mta2.clinic.example" || len(got[1].addrs) != 1 {
		t.Errorf("greetings %v", got)
	}
}

// Every check of a wholesome patient is fine, and none is left out.
func TestDoctorAll(t *testing.T) {
	t.Parallel()
	p := wholesome(t, serveZone(t, namesZone, func(string) bool { return true }))
	p.problems = config.Problems{}
	p.cfg.Settings.Pools["more"] = config.Pool{Sources: []config.Source{{Address: netip.MustParseAddr("2001:db8::10")}}}
	found := examine(t.Context(), p.checks())
	var names []string
	for _, f := range found {
		names = append(names, f.Name)
		want := verdictOK
		if f.Name == "egress" {
			want = verdictUnknown
		}
		says(t, f, want)
	}
	for _, want := range []string{"state directory", "state volume", "configuration directory", "configuration", "resolver " + p.servers[0],
		"EHLO name mta1.clinic.example", "address 2001:db8::10", "PTR 2001:db8::10", "address of this host", "egress", "clock",
		"certificates", "public roots", "environment"} {
		if !slices.Contains(names, want) {
			t.Errorf("no check of %s among %q", want, names)
		}
	}
	if err := statusOfFindings(found); err != nil {
		t.Errorf("exit: %v", err)
	}
}

// The configuration's faults come before those of the state directory, these before others.
func TestDoctorStatus(t *testing.T) {
	t.Parallel()
	bad := func(status int) finding { return checkOf{"x", status}.is(verdictFault, "", "") }
	warned := checkOf{"x", exitConfig}.is(verdictWarning, "", "")
	for _, tt := range []struct {
		found []finding
		want  int
	}{
		{nil, exitOK},
		{[]finding{warned, checkOf{"x", exitState}.is(verdictUnknown, "", "")}, exitOK},
		{[]finding{bad(exitDeferred), warned}, exitDeferred},
		{[]finding{bad(exitDeferred), bad(exitState)}, exitState},
		{[]finding{bad(exitDeferred), bad(exitState), bad(exitConfig)}, exitConfig},
	} {
		if got := statusOf(statusOfFindings(tt.found)); got != tt.want {
			t.Errorf("%+v: exit status %d, want %d", tt.found, got, tt.want)
		}
	}
}
