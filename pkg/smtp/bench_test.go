package smtp

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// tireless is a connection whose server answers every transaction in the same way for ever.
type tireless struct {
	net.Conn
	hello, every string
	at           int
}

func (c *tireless) Read(p []byte) (int, error) {
	if line, rest, ok := strings.Cut(c.hello, "\n"); ok {
		// A reply may come in parts, but nothing before it was asked for.
		n := copy(p, line+"\n")
		c.hello = rest
		return n, nil
	}
	line, _, _ := strings.Cut(c.every[c.at:], "\n")
	n := copy(p, line+"\n")
	c.at = (c.at + n) % len(c.every)
	return n, nil
}

func (*tireless) Write(p []byte) (int, error)      { return len(p), nil }
func (*tireless) Close() error                     { return nil }
func (*tireless) SetDeadline(time.Time) error      { return nil }
func (*tireless) SetReadDeadline(time.Time) error  { return nil }
func (*tireless) SetWriteDeadline(time.Time) error { return nil }

// BenchmarkStream is one message of 2 KB to one recipient over a session in clear that has no
// network: what the session itself costs at each pace.
func BenchmarkStream(b *testing.B) {
	body := text{strings.NewReader(strings.Repeat("All work and no play makes a dull test of what is sent.\r\n", 36))}
	size := body.Size()
	for name, pace := range map[string]Pace{"one by one": OneByOne, "grouped": Grouped, "ahead": Ahead, "windowed": Windowed} {
		b.Run(name, func(b *testing.B) {
			conn := &tireless{hello: offersAll, every: "250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go on\r\n250 2.0.0 queued as 4XyZ1a0Qb3z9\r\n"}
			opts := options()
			if opts.Pace = pace; pace == Windowed {
				conn.every = "250 2.1.0 ok\r\n250 2.1.5 ok\r\n250 2.0.0 queued as 4XyZ1a0Qb3z9\r\n250 2.0.0 ok\r\n"
				opts.Window, opts.Proven = 16, 16
			}
			s, f := Open(b.Context(), conn, Peer{Host: "mx.test", IP: "192.0.2.1"}, opts)
			if f == nil {
				f = s.Hello("mta1.test")
			}
			if f != nil {
				b.Fatal(f)
			}
			m, _ := s.Admit(policy.Requirement{})
			left := b.N
			tx := &Transaction{From: address("a@a.test"), Recipients: []mail.Address{address("b@b.test")}, Done: func(a []Answer) {
				if !a[0].Delivered() {
					b.Errorf("%+v", a[0])
				}
			}}
			b.ReportAllocs()
			b.SetBytes(size)
			b.ResetTimer()
			m.Stream(func() *Transaction {
				if left == 0 {
					return nil
				}
				left--
				tx.Content = again{body}
				return tx
			})
			b.StopTimer()
			m.Close()
		})
	}
}

// again is a content that is read from its beginning each time.
type again struct{ text }

func (a again) WriteTo(w io.Writer) (int64, error) {
	_, _ = a.Reader.Seek(0, io.SeekStart)
	return a.Reader.WriteTo(w)
}
