package route

import (
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script maps "example.com. MX" (lower case) to what a server does when asked that. What
// is not in it is answered with NXDOMAIN.
type script map[string]step

// step answers one request. The reply has the question, RA and nothing else yet; a step
// that returns nil stays silent or has written to w by itself.
type step func(w dns.ResponseWriter, reply *dns.Msg) *dns.Msg

// fakeDNS is a name server on a loopback port, UDP and TCP, that counts what it is asked.
type fakeDNS struct {
	addr     string
	mu       sync.Mutex
	script   script
	asked    map[string]int // by "udp example.com. MX"
	requests []*dns.Msg
}

func serve(t *testing.T, s script) *fakeDNS {
	t.Helper()
	f := &fakeDNS{script: s, asked: map[string]int{}}
	packets, listener := listenBoth(t)
	f.addr = listener.Addr().String()
	for _, srv := range []*dns.Server{{PacketConn: packets}, {Listener: listener}} {
		srv.Handler = f
		started, ended := make(chan struct{}), make(chan struct{})
		srv.NotifyStartedFunc = func() { close(started) }
		go func() {
			defer close(ended)
			if err := srv.ActivateAndServe(); err != nil {
				t.Errorf("serve: %v", err)
			}
		}()
		<-started
		t.Cleanup(func() {
			if err := srv.Shutdown(); err != nil {
				t.Errorf("shutdown: %v", err)
			}
			<-ended
		})
	}
	return f
}

// listenBoth finds a port that is free for UDP and TCP.
func listenBoth(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 50 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		packets, err := net.ListenPacket("udp", listener.Addr().String())
		if err == nil {
			return packets, listener
		}
		listener.Close()
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}

func (f *fakeDNS) ServeDNS(w dns.ResponseWriter, req *dns.Msg) {
	q := req.Question[0]
	key := strings.ToLower(q.Name) + " " + dns.TypeToString[q.Qtype]
	f.mu.Lock()
	f.asked[w.LocalAddr().Network()+" "+key]++
	f.requests = append(f.requests, req)
	act, ok := f.script[key]
	f.mu.Unlock()
	if !ok {
		act = nxdomain
	}
	reply := new(dns.Msg).SetReply(req)
	reply.RecursionAvailable = true
	if reply = act(w, reply); reply != nil {
		w.WriteMsg(reply)
	}
}

// set changes what the server says to one question.
func (f *fakeDNS) set(key string, act step) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script[key] = act
}

// count is how often the server was asked key over UDP and TCP; "" counts everything.
func (f *fakeDNS) count(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for k, c := range f.asked {
		if key == "" || strings.HasSuffix(k, " "+key) {
			n += c
		}
	}
	return n
}

const zoneSOA = "test. 300 IN SOA ns.test. hostmaster.test. 1 7200 3600 1209600 120"

func rr(line string) dns.RR {
	r, err := dns.NewRR(line)
	if err != nil {
		panic(err) // a typing error in a test
	}
	return r
}

// records answers with the records of a zone file.
func records(lines ...string) step {
	var rrs []dns.RR
	for _, line := range lines {
		rrs = append(rrs, rr(line))
	}
	return func(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		for _, r := range rrs {
			reply.Answer = append(reply.Answer, dns.Copy(r)) // packing writes to the record
		}
		return reply
	}
}

// also does a, then b to what a made.
func also(a, b step) step {
	return func(w dns.ResponseWriter, reply *dns.Msg) *dns.Msg { return b(w, a(w, reply)) }
}

func withSOA(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
	reply.Ns = append(reply.Ns, rr(zoneSOA))
	return reply
}

func nodata(w dns.ResponseWriter, reply *dns.Msg) *dns.Msg { return withSOA(w, reply) }

func nxdomain(w dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
	reply.Rcode = dns.RcodeNameError
	return withSOA(w, reply)
}

func silent(dns.ResponseWriter, *dns.Msg) *dns.Msg { return nil }

func rcode(code int) step {
	return func(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		reply.Rcode = code
		return reply
	}
}

func authentic(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
	reply.AuthenticatedData = true
	return reply
}

// raw sends the reply with a function's changes to its bytes.
func raw(change func(packet []byte) []byte) step {
	return func(w dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		packet, err := reply.Pack()
		if err != nil {
			panic(err)
		}
		w.Write(change(packet))
		return nil
	}
}

// appendRecord adds a record with arbitrary rdata to the answer section of a packet that
// has nothing behind it. The owner is the name in the question.
func appendRecord(packet []byte, typ uint16, rdata []byte) []byte {
	packet[7]++ // ANCOUNT
	packet = append(packet, 0xc0, headerLen, byte(typ>>8), byte(typ), 0, dns.ClassINET, 0, 0, 0, 60, byte(len(rdata)>>8), byte(len(rdata)))
	return append(packet, rdata...)
}

// resolverFor asks the servers with generous patience; options may be changed by edits.
func resolverFor(servers []*fakeDNS, edits ...func(*Options)) *Resolver {
	o := Options{Timeout: 20 * time.Second, Shuffle: func(int, func(int, int)) {}}
	for _, s := range servers {
		o.Servers = append(o.Servers, s.addr)
	}
	for _, edit := range edits {
		edit(&o)
	}
	return New(o)
}

func one(t *testing.T, s script, edits ...func(*Options)) (*Resolver, *fakeDNS) {
	t.Helper()
	f := serve(t, s)
	return resolverFor([]*fakeDNS{f}, edits...), f
}

func impatient(o *Options) { o.Timeout = 150 * time.Millisecond }

// wantKind fails unless err is an *Error of kind whose text contains each of parts.
func wantKind(t *testing.T, err error, kind Kind, parts ...string) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T (%v), want *Error", err, err)
	}
	if e.Kind != kind || KindOf(err) != kind {
		t.Errorf("kind is %v, want %v: %v", e.Kind, kind, err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
	return e
}

func names(hosts []Host) string {
	var out []string
	for _, h := range hosts {
		out = append(out, h.Name)
	}
	return strings.Join(out, " ")
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := t.TempDir() + "/resolv.conf"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
