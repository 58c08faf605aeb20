package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"testing"
)

// BenchmarkSink is one message of 2 KB over TLS, its dot sent together with the next message's commands: what the
// suite's instruments cost, the bare loop's side and the sink's together.
func BenchmarkSink(b *testing.B) {
	h, err := startHost(b.Context(), hostOptions{addresses: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer h.close()
	conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(h.Port))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	c := &client{conn: conn, in: bufio.NewReader(conn)}
	if err := c.begin(true); err != nil {
		b.Fatal(err)
	}
	of := batch{messages: 1, octets: 2 << 10, recipients: 1, domains: 1}
	l := &loop{batch: of}
	body := append(of.message(0), ".\r\n"...)
	if err := c.say(l.group(nil, 0), 250, 250, 354); err != nil {
		b.Fatal(err)
	}
	var flight []byte
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		flight = l.group(append(flight[:0], body...), n)
		if err := c.say(flight, 250, 250, 250, 354); err != nil {
			b.Fatal(err)
		}
	}
	if got := h.sink.counts(); got.Messages != n || got.Faults != 0 {
		b.Fatalf("%+v", got)
	}
}

// BenchmarkContent reads a message's lines up to the dot.
func BenchmarkContent(b *testing.B) {
	for _, octets := range []int{2 << 10, 50 << 10} {
		b.Run(fmt.Sprint(octets), func(b *testing.B) {
			message := append(batch{octets: octets, recipients: 1, domains: 1}.message(0), ".\r\n"...)
			b.SetBytes(int64(len(message)))
			source := bytes.NewReader(nil)
			in := bufio.NewReaderSize(source, 64<<10)
			for b.Loop() {
				source.Reset(message)
				in.Reset(source)
				if _, good, err := content(in); !good || err != nil {
					b.Fatal(good, err)
				}
			}
		})
	}
}
