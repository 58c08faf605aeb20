//go:build peers && linux

package cmd_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sendctl/sendctl/pkg/sandbox"
)

// The tests with the build tag peers send by the real command to real mail servers: private
// instances on loopback addresses, found through a DNS server of the test. They need root.

// absent says that a real counterpart is missing: where CI has promised to bring it, that is
// a failure, so that nothing goes green by being skipped.
func absent(t *testing.T, format string, args ...any) {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	if os.Getenv("CI") != "" || os.Getenv("SENDCTL_PEERS_DIR") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// peerHost is one mail host that a real server plays: mx.NAME.peer.test at an address of its
// own, all on the same port, for sendctl has one port for all.
type peerHost struct {
	name, kind, options string
	addr                string
	cert                *tls.Certificate
}

func (h *peerHost) mx() string { return "mx." + h.name + ".peer.test" }

// peerHosts reads a list of hosts and gives each an address, counted from 127.0.NET.1.
func peerHosts(t *testing.T, pki *peersPKI, file string, subnet int) []*peerHost {
	t.Helper()
	var out []*peerHost
	for line := range strings.Lines(readTestdata(t, file)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		kind, options, _ := strings.Cut(strings.TrimSpace(rest), " ")
		h := &peerHost{name: name, kind: kind, options: strings.TrimSpace(options), addr: fmt.Sprintf("127.0.%d.%d", subnet, len(out)+1)}
		h.cert = pki.certificate(t, kind, h.mx())
		out = append(out, h)
	}
	return out
}

// peersNet is the world of one test: hosts, DNS, and sendctl's configuration for it.
type peersNet struct {
	dir   string // traversable for the servers' own users
	pki   *peersPKI
	hosts []*peerHost
	port  int
	dns   *sandbox.DNS
}

func newPeersNet(t *testing.T, hosts string, subnet int) *peersNet {
	t.Helper()
	n := &peersNet{dir: openDir(t), pki: newPeersPKI(t)}
	n.hosts = peerHosts(t, n.pki, hosts, subnet)
	// The sender's own domain, where bounce messages go.
	home := &peerHost{name: "home", kind: "good", addr: fmt.Sprintf("127.0.%d.254", subnet)}
	home.cert = n.pki.certificate(t, "good", home.mx())
	n.hosts = append(n.hosts, home)
	text := "clinic.example. MX 10 mx.home.peer.test.\n" +
		"dies.peer.test. MX 10 mx.any.peer.test.\n" +
		"xn--bcher-kva.peer.test. MX 10 mx.any.peer.test.\n"
	for _, h := range n.hosts {
		text += fmt.Sprintf("%[1]s.peer.test. MX 10 %[2]s.\n%[2]s. A %[3]s\n", h.name, h.mx(), h.addr)
	}
	zone, err := sandbox.ParseZone(text)
	if err != nil {
		t.Fatal(err)
	}
	if n.dns, err = sandbox.ServeDNS(zone); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.dns.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (n *peersNet) host(t *testing.T, name string) *peerHost {
	t.Helper()
	for _, h := range n.hosts {
		if h.name == name {
			return h
		}
	}
	t.Fatalf("there is no host called %q", name)
	return nil
}

// listen finds a port that is free at every host's address and listens there.
func (n *peersNet) listen(t *testing.T) map[string]net.Listener {
	t.Helper()
	const tries = 20
	var err error
	for range tries {
		var all map[string]net.Listener
		if all, err = n.listenOnce(); err == nil {
			return all
		}
	}
	t.Fatalf("no port is free at all %d addresses: %v", len(n.hosts), err)
	return nil
}

func (n *peersNet) listenOnce() (map[string]net.Listener, error) {
	all, port := map[string]net.Listener{}, 0
	for _, h := range n.hosts {
		l, err := net.Listen("tcp4", net.JoinHostPort(h.addr, strconv.Itoa(port)))
		if err != nil {
			return nil, errors.Join(err, closeAll(all))
		}
		all[h.name] = l
		port = l.Addr().(*net.TCPAddr).Port
	}
	n.port = port
	return all, nil
}

func closeAll(all map[string]net.Listener) error {
	var errs []error
	for _, l := range all {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// configure writes sendctl's configuration, with the profiles' certificates beside them.
func (n *peersNet) configure(t *testing.T) {
	t.Helper()
	dir := filepath.Join(n.dir, "config")
	fill := strings.NewReplacer("@DNS@", n.dns.Addr(), "@PORT@", strconv.Itoa(n.port))
	for _, f := range txtar.Parse([]byte(readTestdata(t, "config.txtar"))).Files {
		n.write(t, filepath.Join(dir, f.Name), []byte(fill.Replace(string(f.Data))), 0o600)
	}
	n.write(t, filepath.Join(dir, "profiles/partner-ca.pem"), n.pki.partner.PEM(), 0o600)
	n.write(t, filepath.Join(n.dir, "public-ca.pem"), n.pki.public.PEM(), 0o644)
	for name, kind := range map[string]string{"client": "good", "stranger": "self"} {
		key, chain := pemOf(t, n.pki.certificate(t, kind, "mta1.clinic.example"))
		n.write(t, filepath.Join(dir, "profiles", name+".pem"), chain, 0o600)
		n.write(t, filepath.Join(dir, "profiles", name+".key"), key, 0o600)
	}
}

func (n *peersNet) write(t *testing.T, path string, data []byte, mode fs.FileMode) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, mode)); err != nil {
		t.Fatal(err)
	}
}

func readTestdata(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/peers", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// openDir is a temporary directory that other users may traverse: t.TempDir's parent is 0700.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// makeDir makes a directory of a user, 0 for root.
func makeDir(t *testing.T, path string, mode fs.FileMode, uid, gid int) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(path, 0o755), os.Chmod(path, mode), os.Chown(path, uid, gid)); err != nil {
		t.Fatal(err)
	}
}

// userIDs are a user's numbers; a peer's own user is installed with it.
func userIDs(t *testing.T, name string) (uid, gid int) {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		absent(t, "the user %s is missing: %v", name, err)
	}
	uid, err = strconv.Atoi(u.Uid)
	if err == nil {
		gid, err = strconv.Atoi(u.Gid)
	}
	if err != nil {
		t.Fatal(err)
	}
	return uid, gid
}
