//go:build peers && linux

package cmd_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// exim is the hosts that one Exim plays. No daemon runs: the test itself listens, and starts an
// Exim on every connection, which files what it takes before it answers the next command.
type exim struct {
	bin, dir string
	hosts    []*peerHost
}

// findExim looks where CI unpacks Exim, whose package conflicts with Postfix's, then where a
// machine has it installed.
func findExim(t *testing.T) string {
	t.Helper()
	all := []string{"/usr/sbin/exim4"}
	if dir := os.Getenv("SENDCTL_PEERS_DIR"); dir != "" {
		all = []string{filepath.Join(dir, "exim/usr/sbin/exim4")}
	}
	for _, bin := range all {
		if _, err := os.Stat(bin); err == nil {
			return bin
		}
	}
	absent(t, "Exim is not there: %s", strings.Join(all, ", "))
	return ""
}

// startExim listens for every host of the net until the test ends.
func startExim(t *testing.T, n *peersNet) *exim {
	t.Helper()
	e := &exim{bin: findExim(t), dir: n.dir, hosts: n.hosts}
	if os.Getuid() != 0 {
		absent(t, "Exim can be started by root only")
	}
	var serving sync.WaitGroup
	listeners := n.listen(t)
	for _, h := range n.hosts {
		conf := e.configure(t, n, h)
		serving.Go(func() { e.serve(t, listeners[h.name], conf) })
	}
	t.Cleanup(func() {
		if err := closeAll(listeners); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
	return e
}

func (e *exim) hostDir(h *peerHost) string { return filepath.Join(e.dir, "exim", h.name) }

// configure writes a host's configuration and gives its file.
func (e *exim) configure(t *testing.T, n *peersNet, h *peerHost) string {
	t.Helper()
	dir := e.hostDir(h)
	uid, gid := userIDs(t, "Debian-exim")
	for _, d := range []string{"spool", "log", "mail"} {
		makeDir(t, filepath.Join(dir, d), 0o755, uid, gid)
	}
	key, chain := pemOf(t, h.cert)
	n.write(t, filepath.Join(dir, "ca.pem"), n.pki.public.PEM(), 0o644)
	n.write(t, filepath.Join(dir, "mx.pem"), chain, 0o644)
	n.write(t, filepath.Join(dir, "mx.key"), key, 0o600)
	if err := os.Chown(filepath.Join(dir, "mx.key"), uid, gid); err != nil {
		t.Fatal(err)
	}
	// The last of an option that is set twice counts nowhere: Exim refuses that. So what a host
	// sets is taken out of the common part.
	common := readTestdata(t, "exim.conf")
	var own strings.Builder
	for option := range strings.SplitSeq(h.options, ";") {
		name, _, _ := strings.Cut(strings.TrimSpace(option), " ")
		lines := slices.DeleteFunc(strings.SplitAfter(common, "\n"), func(l string) bool { return name != "" && strings.HasPrefix(l, name+" =") })
		common = strings.Join(lines, "")
		own.WriteString(strings.TrimSpace(option) + "\n")
	}
	conf := strings.NewReplacer("@OPTIONS@", own.String()).Replace(common)
	conf = strings.NewReplacer("@EXIM@", e.bin, "@DIR@", dir, "@NAME@", h.name, "@MX@", h.mx(), "@CA@", filepath.Join(dir, "ca.pem")).Replace(conf)
	file := filepath.Join(dir, "exim.conf")
	n.write(t, file, []byte(conf), 0o644)
	return file
}

// serve starts an Exim for every connection and returns when the last one has ended.
func (e *exim) serve(t *testing.T, l net.Listener, conf string) {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			t.Error(err)
			return
		}
		socket, err := conn.(*net.TCPConn).File()
		if err := errors.Join(err, conn.Close()); err != nil {
			t.Error(err)
			return
		}
		all.Go(func() {
			defer socket.Close()
			e.session(t, socket, conf)
		})
	}
}

// session is one Exim, from greeting to end. Its exit status says little: it is not zero where
// the client hung up, too.
func (e *exim) session(t *testing.T, socket *os.File, conf string) {
	cmd := exec.CommandContext(t.Context(), e.bin, "-C", conf, "-odi", "-bs")
	var talk bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = socket, socket, &talk
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil && talk.Len() > 0 {
		t.Logf("exim -C %s: %v: %s", conf, err, &talk)
	}
}

// mail is what all hosts took.
func (e *exim) mail(t *testing.T) []arrived {
	t.Helper()
	var all []arrived
	for _, h := range e.hosts {
		all = append(all, readMaildir(t, filepath.Join(e.hostDir(h), "mail/new"))...)
	}
	return all
}

// inClear reads what all hosts logged about messages taken and commands refused: X= is the TLS
// session that they came by.
func (e *exim) inClear(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, h := range e.hosts {
		b, err := os.ReadFile(filepath.Join(e.hostDir(h), "log/mainlog"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			envelope := strings.Contains(line, " <= ") || strings.Contains(line, " F=<") || strings.Contains(line, "rejected MAIL")
			if envelope && !strings.Contains(line, " X=TLS") {
				out = append(out, line)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return strings.Compare(a[:19], b[:19]) }) // by time
	return out
}

func TestPeersExim(t *testing.T) {
	findExim(t)
	n := newPeersNet(t, "exim.hosts", 90)
	server := startExim(t, n)
	n.configure(t)
	t.Run("content", func(t *testing.T) { checkContent(t, n, server, server) })
	t.Run("recipients", func(t *testing.T) { checkRecipients(t, n, server, server) })
	t.Run("trace", func(t *testing.T) { checkTrace(t, n, "any", "bare") })
	t.Run("poor server", func(t *testing.T) { checkPoor(t, n, server, server, "bare") })
	t.Run("null sender", func(t *testing.T) { checkNullSender(t, n, server, server) })
	t.Run("permutations", func(t *testing.T) { checkPermutations(t, n, server) })
	t.Run("matrix", func(t *testing.T) { readMatrix(t, "exim.matrix").run(t, n, server, server) })
}
