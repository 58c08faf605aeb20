package sandbox

import (
	"bufio"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// BenchmarkStart: what a run of the CLI pays for --sandbox.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := Start(Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSink: 10 kB messages over one connection, pipelined, nothing kept.
func BenchmarkSink(b *testing.B) {
	s, err := Start(Options{Domains: []Domain{{Name: "d.test", Hosts: []Host{{}}}}, Keep: KeepCounts})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	c, err := s.Dial(b.Context(), netip.Addr{}, netip.MustParseAddrPort("192.0.2.10:25"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	batch := "MAIL FROM:<a@b.test>\r\nRCPT TO:<b@d.test>\r\nDATA\r\n"
	body := strings.Repeat(strings.Repeat("x", 78)+"\r\n", 128) + ".\r\n"
	r := bufio.NewReader(c)
	reply := func(lines int) {
		for range lines {
			if _, err := r.ReadSlice('\n'); err != nil {
				b.Fatal(err)
			}
		}
	}
	fmt.Fprint(c, "EHLO client.test\r\n")
	reply(2 + len(DefaultKeywords()) + 1)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		fmt.Fprint(c, batch)
		reply(3)
		fmt.Fprint(c, body)
		reply(1)
	}
}
