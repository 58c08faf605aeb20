//go:build peers && linux

package cmd_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/sendctl/sendctl/pkg/probe"
)

// probedHost is what a probe must say of a host of postfix.hosts.
type probedHost struct {
	name     string
	starttls probe.StartTLS
	versions string // 1.0 to 1.3: y, n, ? or u
	trust    string // of the certificate; "" for none
	client   bool   // it wants a client certificate
}

func probedHosts() []probedHost {
	return []probedHost{
		{"any", probe.Offered, "yyyy", "ok", false},
		{"tls13", probe.Offered, "nnny", "ok", false},
		{"tls12", probe.Offered, "nnyn", "ok", false},
		{"tls11", probe.Offered, "nynn", "ok", false},
		{"tls10", probe.Offered, "ynnn", "ok", false},
		{"plain", probe.NotOffered, "nnnn", "", false},
		{"must", probe.Offered, "yyyy", "ok", false},
		{"rsakex", probe.Offered, "nnyn", "ok", false},
		{"dheonly", probe.Offered, "nnun", "", false},
		{"cbc", probe.Offered, "nnyn", "ok", false},
		{"selfsigned", probe.Offered, "yyyy", "self-signed", false},
		{"nochain", probe.Offered, "yyyy", "intermediate-missing", false},
		{"chain", probe.Offered, "yyyy", "ok", false},
		{"ask13", probe.Offered, "nnny", "ok", false},
		{"mtls13", probe.Offered, "nnny", "ok", true},
		{"mtls12", probe.Offered, "nnyn", "ok", true},
		{"greet5", probe.Unasked, "????", "", false},
		{"greet4", probe.Unasked, "????", "", false},
		{"ehlo4", probe.Unasked, "????", "", false},
		{"sender5", probe.Offered, "yyyy", "ok", false},
		{"bare", probe.Offered, "yyyy", "ok", false},
		{"lonely", probe.Offered, "yyyy", "ok", false},
		{"watched", probe.Offered, "yyyy", "ok", false},
	}
}

// Postfix, set to single versions, suites and certificates: what it is set to is what the
// probe says, and nobody is told more than EHLO, STARTTLS and QUIT.
func TestPeersProbe(t *testing.T) {
	if _, err := os.Stat(postfixMaster); err != nil {
		absent(t, "Postfix is not installed: %v", err)
	}
	if os.Getuid() != 0 {
		absent(t, "Postfix can be started by root only")
	}
	n := newPeersNet(t, "postfix.hosts", 83)
	startPostfixes(t, n)
	n.configure(t)
	args := []string{"probe", "-o", "json"}
	for _, h := range probedHosts() {
		args = append(args, h.name+".peer.test")
	}
	_, stdout, stderr := n.sendctl(t, args...)
	var said struct{ Domains []probe.Result }
	if err := json.Unmarshal(stdout, &said); err != nil {
		t.Fatalf("%v: %s%s", err, stdout, stderr)
	}
	if len(said.Domains) != len(probedHosts()) {
		t.Fatalf("%d domains", len(said.Domains))
	}
	for i, want := range probedHosts() {
		d := said.Domains[i]
		if len(d.MX) == 0 {
			t.Errorf("%s: %+v", want.name, d)
			continue
		}
		m := d.MX[0]
		got := probedHost{want.name, m.StartTLS, "", "", m.ClientCert}
		for _, v := range []string{"TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"} {
			got.versions += map[probe.Answer]string{probe.Yes: "y", probe.No: "n", probe.Unknown: "?", probe.Unusable: "u"}[m.Versions[v]]
		}
		if m.Certificate != nil {
			got.trust = m.Certificate.Trust
		}
		if got != want {
			t.Errorf("%+v, want %+v; %+v", got, want, m.Evidence)
		}
		t.Logf("%-10s %-7s %s grade %s, %d connections, %d ms", want.name, m.StartTLS, got.versions, d.Grade, m.Connections, m.DurationMS)
	}
}
