package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"
)

// where says how a host's process can be reached. It is the first line that the process writes.
type where struct {
	Port int    // of all its addresses
	DNS  string // address and port
}

// hostOptions say what a host's process is like.
type hostOptions struct {
	offer     offer
	addresses int           // of the loopback, from 127.0.0.1 on
	roundTrip time.Duration // that it is away
}

func (o hostOptions) arguments() []string {
	return []string{
		"sink",
		"-chunking=" + strconv.FormatBool(o.offer.chunking),
		"-limits=" + o.offer.limits,
		"-clear=" + strconv.FormatBool(o.offer.clear),
		"-addresses=" + strconv.Itoa(o.addresses),
		"-round-trip=" + o.roundTrip.String(),
	}
}

// sinkRole is the sink's process. It says where it is, and then what it has counted whenever a line comes in; it ends
// with its standard input, and so with whoever started it.
func sinkRole(ctx context.Context, args []string) error {
	var o hostOptions
	flags := flag.NewFlagSet("sink", flag.ContinueOnError)
	flags.BoolVar(&o.offer.chunking, "chunking", false, "offer CHUNKING")
	flags.StringVar(&o.offer.limits, "limits", "", "offer LIMITS with these parameters")
	flags.BoolVar(&o.offer.clear, "clear", false, "take mail without TLS as well")
	flags.IntVar(&o.addresses, "addresses", 1, "listen on so many addresses from 127.0.0.1 on")
	flags.DurationVar(&o.roundTrip, "round-trip", 0, "be so far away")
	if err := flags.Parse(args); err != nil {
		return err
	}
	h, err := startHost(ctx, o)
	if err != nil {
		return err
	}
	defer h.close()
	return h.talk(os.Stdin, os.Stdout)
}

// host is a sink with its listeners and its DNS.
type host struct {
	where
	sink *sink
	open []io.Closer
}

func startHost(ctx context.Context, o hostOptions) (*host, error) {
	s, err := newSink(o.offer)
	if err != nil {
		return nil, err
	}
	h := &host{sink: s}
	if err := h.listen(ctx, o); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// listen opens the host's sockets, and begins to serve them.
func (h *host) listen(ctx context.Context, o hostOptions) error {
	fronts, hosts, err := samePort(o.addresses)
	for _, l := range fronts {
		h.open = append(h.open, l)
	}
	if err != nil {
		return err
	}
	h.Port = fronts[0].Addr().(*net.TCPAddr).Port
	serve := h.sink.serve
	if o.roundTrip > 0 {
		back, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		h.open = append(h.open, back)
		go h.sink.serve(back)
		far := distance{back.Addr().String(), o.roundTrip}
		serve = func(l net.Listener) error { return far.serve(ctx, l) }
	}
	for _, l := range fronts {
		go serve(l)
	}
	streams, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	h.open = append(h.open, streams)
	h.DNS = streams.Addr().String()
	packets, err := net.ListenPacket("udp", h.DNS)
	if err != nil {
		return err
	}
	h.open = append(h.open, packets)
	go serveDNS(zone{hosts}, packets, streams)
	return nil
}

// samePort listens on n addresses of the loopback from 127.0.0.1 on, all with the same port.
func samePort(n int) ([]net.Listener, []netip.Addr, error) {
	const tries = 10
	var last error
	for range tries {
		at := netip.MustParseAddrPort("127.0.0.1:0")
		var listeners []net.Listener
		var hosts []netip.Addr
		for range n {
			l, err := net.Listen("tcp", at.String())
			if err != nil {
				last = err
				break
			}
			listeners, hosts = append(listeners, l), append(hosts, at.Addr())
			at = netip.AddrPortFrom(at.Addr().Next(), l.Addr().(*net.TCPAddr).AddrPort().Port())
		}
		if len(listeners) == n {
			return listeners, hosts, nil
		}
		for _, l := range listeners {
			l.Close()
		}
	}
	return nil, nil, fmt.Errorf("no port is free on %d addresses: %w", n, last)
}

// close ends all that the host does.
func (h *host) close() {
	for _, c := range h.open {
		_ = c.Close()
	}
	h.sink.close()
}

// talk says where the host is, and then for each line the counts.
func (h *host) talk(in io.Reader, out io.Writer) error {
	say := json.NewEncoder(out)
	if err := say.Encode(h.where); err != nil {
		return err
	}
	asked := bufio.NewScanner(in)
	for asked.Scan() {
		c := h.sink.counts()
		c.CPU = ownCPU()
		if err := say.Encode(c); err != nil {
			return errors.Join(err, asked.Err())
		}
	}
	return asked.Err()
}
