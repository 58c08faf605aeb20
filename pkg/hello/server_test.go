package hello_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/hello"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mx.example.test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// ask sends a hello to Go's own TLS server and gives what that answered first.
func ask(t testing.TB, cfg *tls.Config, out []byte) (hello.Answer, []byte) {
	t.Helper()
	return askFor(t, cfg, out, &hello.Reader{})
}

func askFor(t testing.TB, cfg *tls.Config, out []byte, r *hello.Reader) (hello.Answer, []byte) {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn := tls.Server(server, cfg)
		_ = conn.Handshake()
		_ = server.Close()
	}()
	defer func() {
		_ = client.Close()
		<-done
	}()
	go func() { _, _ = client.Write(out) }()
	var all bytes.Buffer
	buf := make([]byte, 512)
	for {
		n, err := client.Read(buf)
		all.Write(buf[:n])
		complete, ferr := r.Feed(buf[:n])
		if ferr != nil {
			t.Fatalf("after %q: %v", all.Bytes(), ferr)
		}
		if complete {
			return r.Answer(), all.Bytes()
		}
		if errors.Is(err, io.EOF) {
			if r.End() {
				return r.Answer(), all.Bytes()
			}
			t.Fatalf("closed after %q", all.Bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func random(seed byte) (r [32]byte) {
	for i := range r {
		r[i] = seed + byte(i)
	}
	return r
}

// Each server speaks exactly one version; each hello gets that version, or the alert
// protocol_version.
func TestVersionsAgainstGo(t *testing.T) {
	t.Parallel()
	cert := certificate(t)
	for _, have := range tlsnames.Versions() {
		for _, most := range tlsnames.Versions() {
			t.Run(have.String()+" asked up to "+most.String(), func(t *testing.T) {
				t.Parallel()
				seen := &tls.ClientHelloInfo{}
				cfg := &tls.Config{
					MinVersion: uint16(have), MaxVersion: uint16(have), Certificates: []tls.Certificate{cert},
					GetConfigForClient: func(i *tls.ClientHelloInfo) (*tls.Config, error) { *seen = *i; return nil, nil },
				}
				a, _ := ask(t, cfg, hello.New(most, "mx.example.test", random(1)).Bytes())
				if seen.ServerName != "mx.example.test" {
					t.Errorf("the server read the name %q", seen.ServerName)
				}
				switch {
				case have > most:
					if a.Kind != hello.Alert || a.Alert != 70 {
						t.Fatalf("%+v, want the alert protocol_version", a)
					}
				case a.Version != have:
					t.Fatalf("%+v, want %s", a, have)
				case have == tlsnames.TLS13:
					// Go prefers its post-quantum group, for which a hello without key shares needs no keys.
					if a.Kind != hello.HelloRetryRequest || a.Group.String() != "X25519MLKEM768" || !a.Suite.TLS13() {
						t.Fatalf("%+v", a)
					}
				case a.Kind != hello.ServerHello || !a.Suite.Usable() || !a.Suite.In(have):
					t.Fatalf("%+v (%s)", a, a.Suite)
				}
			})
		}
	}
}

func TestGroupByHelloRetryRequest(t *testing.T) {
	t.Parallel()
	cfg := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate(t)}, CurvePreferences: []tls.CurveID{tls.CurveP521}}
	a, _ := ask(t, cfg, hello.New(tlsnames.TLS13, "", random(2)).Bytes())
	if a.Kind != hello.HelloRetryRequest || a.Group != 25 {
		t.Fatalf("%+v", a)
	}
}

// Before TLS 1.3 the group is in ServerKeyExchange, some octets further on: however those are
// split. Without it the ServerHello is the answer all the same.
func TestGroupByServerKeyExchange(t *testing.T) {
	t.Parallel()
	for _, v := range []tlsnames.Version{tlsnames.TLS10, tlsnames.TLS11, tlsnames.TLS12} {
		cfg := &tls.Config{MinVersion: tls.VersionTLS10, Certificates: []tls.Certificate{certificate(t)}, CurvePreferences: []tls.CurveID{tls.CurveP384}}
		a, octets := askFor(t, cfg, hello.New(v, "", random(6)).Bytes(), &hello.Reader{Group: true})
		if a.Kind != hello.ServerHello || a.Version != v || a.Group != 24 {
			t.Fatalf("%+v", a)
		}
		for at := range octets {
			r := hello.Reader{Group: true}
			done, err := r.Feed(octets[:at])
			if half := r.Answer(); !done && half.Kind != hello.Nothing {
				t.Fatalf("an answer before it is complete: %+v", half)
			}
			if err == nil && !done {
				done, err = r.Feed(octets[at:])
			}
			if err != nil || !done || r.Answer().Group != 24 {
				t.Fatalf("%s split at %d: %+v, %v", v, at, r.Answer(), err)
			}
			cut := hello.Reader{Group: true}
			if _, err := cut.Feed(octets[:at]); err != nil || cut.End() != (cut.Answer().Kind == hello.ServerHello) {
				t.Fatalf("%s cut at %d: %+v, %v", v, at, cut.Answer(), err)
			}
		}
		octets = append(octets[:len(octets)/2], "garbage, and no TLS"...)
		r := hello.Reader{Group: true}
		if done, err := r.Feed(octets); err == nil && done && r.Answer().Version != v {
			t.Fatalf("%+v", r.Answer())
		}
	}
}

// RFC 5246 §7.4.3: with RSA key exchange there is no ServerKeyExchange, and no group.
func TestNoGroup(t *testing.T) {
	t.Parallel()
	hellos := record(22, serverHello(0x0303, 0x003c)+"\x0b\x00\x00\x03\x00\x00\x00"+"\x0e\x00\x00\x00")
	dhe := record(22, serverHello(0x0303, 0x009e)+"\x0c\x00\x00\x04\x03\x00\x17\x00")
	alert := record(22, serverHello(0x0303, 0xc02f)) + record(21, "\x02\x50")
	for name, in := range map[string]string{"RSA": hellos, "DHE": dhe, "alert": alert} {
		r := hello.Reader{Group: true}
		done, err := r.Feed([]byte(in))
		if a := r.Answer(); err != nil || !done || a.Kind != hello.ServerHello || a.Group != 0 {
			t.Errorf("%s: %+v, %v, %v", name, a, done, err)
		}
	}
}

// A server that lacks a version between two that it has is told of both.
func TestSupportedVersionsOfOldHellos(t *testing.T) {
	t.Parallel()
	var seen []uint16
	cfg := &tls.Config{
		MinVersion: tls.VersionTLS10, Certificates: []tls.Certificate{certificate(t)},
		GetConfigForClient: func(i *tls.ClientHelloInfo) (*tls.Config, error) { seen = i.SupportedVersions; return nil, nil },
	}
	ask(t, cfg, hello.New(tlsnames.TLS11, "", random(7)).Bytes())
	if len(seen) != 2 || seen[0] != tls.VersionTLS11 || seen[1] != tls.VersionTLS10 {
		t.Errorf("%v", seen)
	}
}

// A hello that can offer only what nobody has is refused, and one that offers what only Go
// does not have, too.
func TestNoCommonSuite(t *testing.T) {
	t.Parallel()
	h := hello.New(tlsnames.TLS12, "", random(3))
	h.Suites = []tlsnames.Suite{0x009e, 0x0033} // DHE
	a, _ := ask(t, &tls.Config{Certificates: []tls.Certificate{certificate(t)}}, h.Bytes())
	if a.Kind != hello.Alert || a.Alert != 40 {
		t.Fatalf("%+v", a)
	}
	if got := h.UsableOnly(); len(got.Suites) != 0 || len(got.Groups) == 0 || len(h.Suites) != 2 {
		t.Fatalf("usable: %v", got.Suites)
	}
}

// RFC 7507: a server that could do better says so to a hello that says it fell back.
func TestFallback(t *testing.T) {
	t.Parallel()
	h := hello.New(tlsnames.TLS12, "", random(4))
	h.Fallback = true
	a, _ := ask(t, &tls.Config{Certificates: []tls.Certificate{certificate(t)}}, h.Bytes())
	if a.Kind != hello.Alert || a.Alert != 86 {
		t.Fatalf("%+v", a)
	}
}

// However the stream is split, the answer is the same.
func TestSplitAnywhere(t *testing.T) {
	t.Parallel()
	cert := certificate(t)
	for _, v := range tlsnames.Versions() {
		want, octets := ask(t, &tls.Config{MinVersion: tls.VersionTLS10, Certificates: []tls.Certificate{cert}}, hello.New(v, "", random(5)).Bytes())
		for at := range octets {
			var r hello.Reader
			done, err := r.Feed(octets[:at])
			if err == nil && !done {
				done, err = r.Feed(octets[at:])
			}
			if err != nil || !done || r.Answer().Version != want.Version || r.Answer().Suite != want.Suite {
				t.Fatalf("%s split at %d: %+v, %v", v, at, r.Answer(), err)
			}
		}
		var r hello.Reader
		for i := range octets {
			if done, err := r.Feed(octets[i : i+1]); err != nil {
				t.Fatal(err)
			} else if done {
				break
			}
		}
		if r.Answer().Version != want.Version {
			t.Fatalf("%s octet by octet: %+v", v, r.Answer())
		}
	}
}
