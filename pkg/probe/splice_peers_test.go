//go:build peers

package probe_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// absent skips a test for want of a counterpart, which where counterparts were installed on
// purpose is a failure.
func absent(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" || os.Getenv("SENDCTL_PEERS_DIR") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// freeAddress is a port of this host that nobody listened at a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// listening waits until somebody answers there.
func listening(t *testing.T, addr string) {
	t.Helper()
	for range 500 {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("nobody listens at %s", addr)
}

// splice is a mail host that hands its connections to another TLS server after STARTTLS.
func splice(t *testing.T, tlsServer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go spliceOne(c, tlsServer)
		}
	}()
	return l.Addr().String()
}

func spliceOne(c net.Conn, tlsServer string) {
	defer c.Close()
	in := bufio.NewReader(c)
	fmt.Fprint(c, "220 mx.example.test ESMTP\r\n")
	for {
		line, err := in.ReadString('\n')
		switch {
		case err != nil:
			return
		case strings.HasPrefix(line, "EHLO"):
			fmt.Fprint(c, "250-mx.example.test\r\n250 STARTTLS\r\n")
		case strings.HasPrefix(line, "STARTTLS"):
			fmt.Fprint(c, "220 ready\r\n")
			handOver(c, in, tlsServer)
			return
		default:
			fmt.Fprint(c, "221 bye\r\n")
			return
		}
	}
}

// handOver lets another server go on with a connection.
func handOver(c net.Conn, in io.Reader, to string) {
	s, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer s.Close()
	go func() {
		_, _ = io.Copy(s, in)
		_ = s.Close()
	}()
	_, _ = io.Copy(c, s)
}

// selfSigned writes a certificate and key with openssl itself.
func selfSigned(t *testing.T, key ...string) string {
	t.Helper()
	dir := t.TempDir()
	args := append([]string{"req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=mx.example.test", "-addext", "subjectAltName=DNS:mx.example.test",
		"-out", filepath.Join(dir, "cert.pem"), "-keyout", filepath.Join(dir, "key.pem")}, key...)
	if out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput(); err != nil {
		t.Fatalf("openssl: %v: %s", err, out)
	}
	return dir
}
