package bench

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever is on its way arrives when it should, however much there is: the delay is no limit to throughput.
func TestRelayIsADistance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const away = 10 * time.Millisecond
		near, in := net.Pipe()
		out, far := net.Pipe()
		over := make(chan error, 1)
		go func() {
			over <- relay(out, in, away)
			out.Close()
		}()
		began := time.Now()
		const pieces = 100
		go func() {
			for range pieces {
				near.Write([]byte("piece")) // each as soon as the last one has left
				time.Sleep(time.Millisecond)
			}
			near.Close()
		}()
		b := make([]byte, 100)
		for i := range pieces {
			n, err := far.Read(b)
			if err != nil || string(b[:n]) != "piece" {
				t.Fatal(string(b[:n]), err)
			}
			if got, want := time.Since(began), away+time.Duration(i)*time.Millisecond; got != want {
				t.Fatalf("piece %d after %s, not %s", i, got, want)
			}
		}
		if _, err := far.Read(b); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
}

// When the receiver has gone, the relay takes what still comes until the sender has ended, and says so.
func TestRelayWithoutAReceiver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out, far := net.Pipe()
		far.Close()
		err := relay(out, io.MultiReader(strings.NewReader("a"), strings.NewReader("b")), time.Second)
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	})
}

// A session through the proxy is the same session.
func TestDistance(t *testing.T) {
	t.Parallel()
	h := aHost(t, hostOptions{roundTrip: 4 * time.Millisecond, offer: offer{chunking: true}})
	began := time.Now()
	c := aClient(t, h, true)
	if err := c.say([]byte("MAIL FROM:<>\r\nRCPT TO:<r1@d0.test>\r\nBDAT 2 LAST\r\n\r\nQUIT\r\n"), 250, 250, 250, 221); err != nil {
		t.Fatal(err)
	}
	if _, err := c.in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Error("the end did not get through:", err)
	}
	// Connecting, greeting, EHLO, STARTTLS, the handshake, EHLO again, the message: six waits, and never less.
	if took := time.Since(began); took < 6*4*time.Millisecond {
		t.Errorf("%s is faster than the distance allows", took)
	}
	if got := h.sink.counts(); got.Messages != 1 || got.Faults != 0 {
		t.Errorf("%+v", got)
	}
}
