package sandbox

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMailbox: received messages lie in a directory with envelope and TLS facts on top.
func TestMailbox(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "received")
	s := start(t, Options{MessageDir: dir, Keep: KeepCounts})
	c := greeted(t, s, "mx.modern.test")
	config := c.config()
	config.MaxVersion = tls.VersionTLS12
	config.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	config.CurvePreferences = []tls.CurveID{tls.X25519}
	if err := c.startTLS(config); err != nil {
		t.Fatal(err)
	}
	c.do(250, "EHLO client.test")
	c.do(250, "MAIL FROM:<> SIZE=10")
	c.do(250, "RCPT TO:<b@modern.test> NOTIFY=FAILURE")
	c.do(250, "RCPT TO:<c@modern.test>")
	c.do(354, "DATA")
	c.do(250, "%s.", message)
	c.quit()
	c = greeted(t, s, "mx.plain.test")
	c.send("a@clinic.test", "b@../x/Plain.test\x1b", message)
	c.quit()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 || !strings.HasSuffix(files[0], "-000001-modern.test.eml") || !strings.HasSuffix(files[1], "-000002-.._x_plain.test_.eml") {
		t.Fatalf("files %q, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(text), "\r\nFrom: ")
	if "From: "+body != message {
		t.Errorf("message %q", body)
	}
	lines := strings.Split(head, "\r\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "X-Sandbox-Time: ") })
	want := []string{
		"X-Sandbox-Host: mx.modern.test",
		"X-Sandbox-Ehlo: client.test",
		"X-Sandbox-Mail-From: <>",
		"X-Sandbox-Mail-Params: SIZE=10",
		"X-Sandbox-Rcpt-To: <b@modern.test>",
		"X-Sandbox-Rcpt-To: <c@modern.test>",
		"X-Sandbox-Rcpt-Params: <b@modern.test> NOTIFY=FAILURE",
		"X-Sandbox-TLS: TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
		"X-Sandbox-Client-Certificate: none",
		"X-Sandbox-TLS-Group: x25519",
		"X-Sandbox-TLS-Server-Name: mx.modern.test",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("fields\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	text, err = os.ReadFile(files[1])
	if err != nil || !strings.Contains(string(text), "X-Sandbox-TLS: none\r\n") || strings.ContainsAny(string(text), "\x1b") {
		t.Errorf("%q, %v", text, err)
	}
}

func TestMailboxFails(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "received")
	s := start(t, Options{MessageDir: dir})
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	c := greeted(t, s, "mx.plain.test")
	c.do(250, "MAIL FROM:<a@clinic.test>")
	c.do(250, "RCPT TO:<b@plain.test>")
	c.do(354, "DATA")
	c.do(451, "%s.", message)
	if s.Accepted() != 0 {
		t.Error("accepted, though it could not be kept")
	}
}

// TestNothingWritten: without directories a sandbox writes no file.
func TestNothingWritten(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("TMPDIR", dir)
	s := start(t, Options{})
	c := greeted(t, s, "mx.plain.test")
	c.send("a@clinic.test", "b@plain.test", message)
	c.quit()
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("written: %v, %v", files, err)
	}
}

// TestGreylistFile: S27 over two runs, the memory is in the file.
func TestGreylistFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state", "greylist")
	try := func(want int, recipient string) {
		t.Helper()
		s := start(t, Options{StatePath: path})
		c := secured(t, s, "mx.greylist.test")
		c.do(250, "MAIL FROM:<\"odd\\\"one\"@clinic.test>")
		c.do(want, "RCPT TO:<%s>", recipient)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	try(451, "b@greylist.test")
	try(250, "b@greylist.test")
	// A line that a crash cut short does no harm.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`["a@b.te`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	try(250, "b@greylist.test")
	try(451, "c@greylist.test")
	try(250, "c@greylist.test")
}

// TestGreylistForgets: without a file the memory lasts as long as the sandbox.
func TestGreylistForgets(t *testing.T) {
	t.Parallel()
	for range 2 {
		g, err := OpenGreylist("")
		if err != nil {
			t.Fatal(err)
		}
		s := g.Script()
		e := Event{Verb: "RCPT", MailFrom: "a@b.test", Path: "c@d.test"}
		if s(e) == nil || s(e) != nil {
			t.Error("not once only")
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
}
