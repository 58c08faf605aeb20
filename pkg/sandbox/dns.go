package sandbox

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/miekg/dns"
)

// DNS is a running name server that answers as a recursive resolver would, from a [Zone].
type DNS struct {
	index   *index
	addr    string
	servers []*dns.Server
	running sync.WaitGroup
	stop    func() error

	mu        sync.Mutex
	questions []string
}

const maxQuestions = 10000 // remembered

// ServeDNS answers from the zone on a free port of 127.0.0.1, the same for UDP and TCP, until Close.
func ServeDNS(z *Zone) (*DNS, error) {
	d := &DNS{index: newIndex(z)}
	packets, listener, err := listenBoth()
	if err != nil {
		return nil, err
	}
	d.addr = listener.Addr().String()
	d.stop = sync.OnceValue(d.shut)
	for _, s := range []*dns.Server{{PacketConn: packets, UDPSize: 4096}, {Listener: listener}} {
		started := make(chan struct{})
		s.Handler = dns.HandlerFunc(d.serve)
		s.NotifyStartedFunc = func() { close(started) }
		d.servers = append(d.servers, s)
		d.running.Go(func() { _ = s.ActivateAndServe() })
		<-started
	}
	return d, nil
}

// listenBoth finds a port that is free for UDP and for TCP.
func listenBoth() (net.PacketConn, net.Listener, error) {
	var last error
	for range 50 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, nil, fmt.Errorf("listening for the sandbox's DNS: %w", err)
		}
		p, err := net.ListenPacket("udp4", l.Addr().String())
		if err == nil {
			return p, l, nil
		}
		last = errors.Join(err, l.Close())
	}
	return nil, nil, fmt.Errorf("listening for the sandbox's DNS: %w", last)
}

// Addr is the server's address, "127.0.0.1:port".
func (d *DNS) Addr() string { return d.addr }

// Questions are those asked so far, as "name. TYPE" in the order of their arrival (the first 10000).
func (d *DNS) Questions() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.questions)
}

// Close returns when nothing of the server runs any more.
func (d *DNS) Close() error { return d.stop() }

func (d *DNS) shut() error {
	var errs []error
	for _, s := range d.servers {
		if err := s.Shutdown(); err != nil {
			errs = append(errs, fmt.Errorf("closing the sandbox's DNS: %w", err))
		}
	}
	d.running.Wait()
	return errors.Join(errs...)
}

// serve answers one query.
func (d *DNS) serve(w dns.ResponseWriter, q *dns.Msg) {
	if len(q.Question) != 1 {
		_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeFormatError))
		return
	}
	question := q.Question[0]
	d.mu.Lock()
	if len(d.questions) < maxQuestions {
		d.questions = append(d.questions, dns.CanonicalName(question.Name)+" "+dns.Type(question.Qtype).String())
	}
	d.mu.Unlock()
	if f := d.index.zone.Answer; f != nil && f(w, q) {
		return
	}
	_ = w.WriteMsg(d.answer(w, q))
}

// answer makes the response to a query.
func (d *DNS) answer(w dns.ResponseWriter, q *dns.Msg) *dns.Msg {
	records, rcode, authentic := d.index.find(q.Question[0])
	m := new(dns.Msg).SetRcode(q, rcode)
	m.RecursionAvailable = true
	m.Answer = records
	if len(records) == 0 && rcode != dns.RcodeServerFailure {
		m.Ns = append(m.Ns, &dns.SOA{
			Hdr: header("test", dns.TypeSOA), Ns: "ns.test.", Mbox: "hostmaster.test.",
			Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: 60,
		})
	}
	size := dns.MinMsgSize
	edns := q.IsEdns0()
	if edns != nil {
		size = max(size, int(edns.UDPSize()))
		m.SetEdns0(4096, edns.Do())
	}
	// RFC 6840 §5.7: AD tells those who ask by AD or DO.
	m.AuthenticatedData = authentic && (q.AuthenticatedData || edns != nil && edns.Do())
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		m.Truncate(size)
	}
	return m
}
