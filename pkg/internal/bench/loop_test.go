package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
)

// loop is a sender as bare as it can be: it knows the envelopes and the host, reads the files, sends the next
// message's commands together with the last one's dot, and makes a line in a journal durable for each message. It
// judges nothing, retries nothing and reports nothing. What it reaches is what files, TLS, SMTP and the disk leave
// possible; it also brings messages to Postfix.
type loop struct {
	batch       batch
	address     string
	connections int
	clear       bool     // no STARTTLS
	journal     *journal // nil: none
	next        atomic.Int64
}

// loopRole is the loop's process.
func loopRole(ctx context.Context, args []string) error {
	l := loop{batch: batch{recipients: 1}}
	flags := flag.NewFlagSet("loop", flag.ContinueOnError)
	flags.StringVar(&l.batch.dir, "batch", "", "the messages' directory")
	flags.IntVar(&l.batch.messages, "messages", 0, "how many there are")
	flags.IntVar(&l.batch.domains, "domains", 1, "how many domains they go to")
	flags.StringVar(&l.address, "to", "", "the host's address and port")
	flags.IntVar(&l.connections, "connections", 1, "so many at once")
	flags.BoolVar(&l.clear, "clear", false, "without TLS")
	keep := flags.String("journal", "", "a file for a line for each message")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *keep != "" {
		f, err := os.OpenFile(*keep, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		l.journal = newJournal(f)
	}
	return l.run(ctx)
}

// run sends the whole batch. It ends with the first thing that goes wrong.
func (l *loop) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make([]error, l.connections)
	var working sync.WaitGroup
	for i := range failed {
		working.Go(func() {
			if failed[i] = l.work(ctx); failed[i] != nil {
				stop()
			}
		})
	}
	working.Wait()
	return errors.Join(failed...)
}

// claim is the number of the next message; false when there is none.
func (l *loop) claim() (int, bool) {
	n := int(l.next.Add(1)) - 1
	return n, n < l.batch.messages
}

// work keeps one connection busy.
func (l *loop) work(ctx context.Context) error {
	n, more := l.claim()
	if !more {
		return nil
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.address)
	if err != nil {
		return err
	}
	defer func() { conn.Close() }()
	c := &client{conn: conn, in: bufio.NewReader(conn)}
	if err := c.begin(!l.clear); err != nil {
		return err
	}
	conn = c.conn
	flight := l.group(nil, n)
	for more && ctx.Err() == nil {
		if err := c.say(flight, 250, 250, 354); err != nil {
			return err
		}
		body, err := os.ReadFile(filepath.Join(l.batch.dir, name(n)))
		if err != nil {
			return err
		}
		this := n
		flight = append(append(flight[:0], body...), ".\r\n"...)
		if n, more = l.claim(); more {
			flight = l.group(flight, n)
		}
		if err := c.say(flight, 250); err != nil {
			return err
		}
		flight = flight[:0]
		if l.journal == nil {
			continue
		}
		if err := l.journal.commit(fmt.Appendf(nil, "%d delivered 250\n", this)); err != nil {
			return err
		}
	}
	return errors.Join(ctx.Err(), c.say([]byte("QUIT\r\n"), 221))
}

// group appends a message's commands.
func (l *loop) group(b []byte, n int) []byte {
	return fmt.Appendf(b, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", sender, l.batch.to(n)[0])
}

// client is one SMTP session.
type client struct {
	conn net.Conn
	in   *bufio.Reader
}

// begin greets, and secures the session.
func (c *client) begin(secure bool) error {
	hello := []byte("EHLO client.test\r\n")
	if err := c.say(nil, 220); err != nil {
		return err
	}
	if err := c.say(hello, 250); err != nil || !secure {
		return err
	}
	if err := c.say([]byte("STARTTLS\r\n"), 220); err != nil {
		return err
	}
	c.conn = tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	c.in = bufio.NewReaderSize(c.conn, 4096)
	return c.say(hello, 250)
}

// say writes, and reads the replies that are due.
func (c *client) say(flight []byte, codes ...int) error {
	if len(flight) > 0 {
		if _, err := c.conn.Write(flight); err != nil {
			return err
		}
	}
	for _, want := range codes {
		if err := c.expect(want); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) expect(want int) error {
	for {
		line, err := c.in.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		if len(line) < 4 || string(line[:3]) != strconv.Itoa(want) {
			return fmt.Errorf("the host said %q, want %d", bytes.TrimSpace(line), want)
		}
		if line[3] != '-' {
			return nil
		}
	}
}
