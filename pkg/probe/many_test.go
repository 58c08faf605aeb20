package probe_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// A thousand domains at twenty providers: each provider's address is asked once, and each
// profile's verdict is found out once for each provider.
func TestThousandDomains(t *testing.T) {
	t.Parallel()
	const count, providers = 1000, 20
	var hosts []sandbox.Domain
	for i := range providers {
		hosts = append(hosts, sandbox.Domain{Name: fmt.Sprintf("provider%d.test", i), Hosts: []sandbox.Host{{NoSTARTTLS: i == 7}}})
	}
	var zone strings.Builder
	var names []string
	for i := range count {
		names = append(names, fmt.Sprintf("d%d.test", i))
		fmt.Fprintf(&zone, "d%d.test. IN MX 10 mx.provider%d.test.\n", i, i%providers)
	}
	parsed, err := sandbox.ParseZone(zone.String())
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, sandbox.Options{Domains: hosts, Zone: parsed}, func(p *probe.Config, _ *courier.Config) {
		p.Profiles = []probe.Profile{{Name: "forced", Requirement: policy.Requirement{Encrypt: true, BarredVersions: tlsnames.VersionsOf(tlsnames.TLS10, tlsnames.TLS11)}}}
	})
	p := probe.New(w.cfg)
	var mu sync.Mutex
	grades := map[probe.Grade]int{}
	outlooks := map[probe.Outlook]int{}
	probe.Each(t.Context(), names, 32, func(name string) {
		res := p.Domain(t.Context(), name)
		mu.Lock()
		defer mu.Unlock()
		grades[res.Grade]++
		outlooks[res.Verdicts[0].Verdict]++
	})
	if grades[probe.GradeA] != count-count/providers || grades[probe.GradeF] != count/providers ||
		outlooks[probe.ByTLS] != count-count/providers || outlooks[probe.Bounce] != count/providers {
		t.Errorf("%v, %v", grades, outlooks)
	}
	w.polite(t)
	for _, s := range w.box.Servers() {
		// Three to find out the versions, one for the profile.
		if n := s.Connected(); n > 4 {
			t.Errorf("%s had %d connections", s.Name(), n)
		}
	}
}

// One address under two names may show two certificates: the versions are asked once, the
// certificate for each name.
func TestSharedAddressOtherName(t *testing.T) {
	t.Parallel()
	zone, err := sandbox.ParseZone("vanity.test. IN MX 10 mail.vanity.test.\nmail.vanity.test. IN A 192.0.2.10\n")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, sandbox.Options{Domains: []sandbox.Domain{{Name: "example.test", Hosts: []sandbox.Host{{}}}}, Zone: zone}, nil)
	p := probe.New(w.cfg)
	first, second := p.Domain(t.Context(), "example.test"), p.Domain(t.Context(), "vanity.test")
	if first.Grade != probe.GradeA || second.Grade != probe.GradeC || !strings.Contains(second.GradeReasons[0], "wrong name") {
		t.Errorf("%s %v, %s %v", first.Grade, first.GradeReasons, second.Grade, second.GradeReasons)
	}
	if versions(second.MX[0]) != "nnyy" || second.MX[0].Connections != 1 {
		t.Errorf("%s by %d connections", versions(second.MX[0]), second.MX[0].Connections)
	}
	if n := w.box.Servers()[0].Connected(); n != 4 {
		t.Errorf("%d connections in all", n)
	}
}

func TestDeep(t *testing.T) {
	t.Parallel()
	deep := func(h sandbox.Host) *probe.Deep {
		w := oneHost(t, h, func(p *probe.Config, _ *courier.Config) { p.Deep = true })
		defer w.polite(t)
		return w.ask(t, "example.test").MX[0].Deep
	}
	d := deep(sandbox.Host{TLS: sandbox.TLS{Min: uint16(tlsnames.TLS10)}})
	if d == nil || d.SSLv2 != probe.No || d.SSLv3 != probe.No || d.Fallback != probe.Yes || !d.Complete {
		t.Fatalf("%+v", d)
	}
	// Go's server with an ECDSA certificate: what a client that lists them one by one is given.
	for v, want := range map[string]int{"TLSv1.0": 3, "TLSv1.1": 3, "TLSv1.2": 7, "TLSv1.3": 3} {
		if len(d.Suites[v]) < want || strings.Contains(strings.Join(d.Suites[v], " "), "0x") {
			t.Errorf("%s: %v", v, d.Suites[v])
		}
	}
	if len(d.Groups) < 5 || d.Groups[0] != "X25519MLKEM768" {
		t.Errorf("groups %v", d.Groups)
	}
	// Under TLS 1.2 ServerKeyExchange names the group; there are no post-quantum ones.
	if len(d.OlderGroups) < 4 || !slices.Contains(d.OlderGroups, "x25519") || !slices.Contains(d.OlderGroups, "secp521r1") {
		t.Errorf("groups before TLS 1.3: %v", d.OlderGroups)
	}
	if d := deep(sandbox.Host{TLS: sandbox.TLS{Min: uint16(tlsnames.TLS13)}}); len(d.OlderGroups) > 0 || len(d.Groups) < 5 {
		t.Errorf("TLS 1.3 only: groups %v, %v", d.Groups, d.OlderGroups)
	}
	if d := deep(sandbox.Host{NoSTARTTLS: true}); d != nil {
		t.Errorf("without STARTTLS: %+v", d)
	}
}
