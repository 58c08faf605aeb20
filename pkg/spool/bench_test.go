//go:build unix

package spool

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/mail"
)

// callers runs do so many times, by so many goroutines.
func callers(b *testing.B, n int, do func(i int) error) {
	b.ReportAllocs()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	started, spent := time.Now(), cpu(b)
	for range n {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/time.Since(started).Seconds(), "ops/s")
	b.ReportMetric(float64((cpu(b)-spent).Microseconds())/float64(b.N), "cpu-µs/op")
}

// cpu is the time that this process has had of the processors: on a machine that does other
// things too it says more than the clock.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// bulk makes messages of 2 KB.
func bulk() func(i int) Incoming {
	like, body := incoming(0, "r@b.test"), text(strings.Repeat("x", 1998)+"\r\n")
	domains := make([]string, 500)
	for i := range domains {
		domains[i] = fmt.Sprintf("d%d.test", i)
	}
	return func(i int) Incoming {
		in := like
		in.Body = body
		binary.BigEndian.PutUint64(in.Message.Source[:], uint64(i)*0x9e3779b97f4a7c15)
		in.Message.QueueID = fmt.Sprintf("%016x%08x", i, uint32(i)*0x9e3779b9) // as IDs that begin with the time
		in.Recipients = []Addressee{{mail.Address{Local: "r", Domain: domains[i%len(domains)]}, like.Recipients[0].Decision}}
		return in
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			s, message := openTest(b, stateDir(b), Options{}), bulk()
			callers(b, n, func(i int) error {
				_, err := s.Add(b.Context(), message(i))
				return err
			})
		})
	}
}

// One transaction, and so an fsync of body and log each, for every message: what group commit saves.
func BenchmarkAddAlone(b *testing.B) {
	s, message := openTest(b, stateDir(b), Options{MaxGroup: 1}), bulk()
	callers(b, 64, func(i int) error {
		_, err := s.Add(b.Context(), message(i))
		return err
	})
}

// BenchmarkDeliver is what a delivered recipient costs after it was accepted: the intent, and
// the outcome with its row of the record.
func BenchmarkDeliver(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			s, all := claimedBulk(b, b.N)
			callers(b, n, func(i int) error {
				if err := s.Intend(b.Context(), all[i-1]); err != nil {
					return err
				}
				return s.Settle(b.Context(), Settlement{Recipient: all[i-1], Outcome: delivered()})
			})
			if err := s.Wiped(); err != nil {
				b.Error(err)
			}
		})
	}
}

func BenchmarkSettle(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			s, all := claimedBulk(b, b.N)
			callers(b, n, func(i int) error {
				return s.Settle(b.Context(), Settlement{Recipient: all[i-1], Outcome: delivered()})
			})
			if err := s.Wiped(); err != nil {
				b.Error(err)
			}
		})
	}
}

// claimedBulk is a spool of n messages, and their recipients' numbers.
func claimedBulk(b *testing.B, n int) (*Spool, []int64) {
	s, message := openTest(b, stateDir(b), Options{}), bulk()
	all := make([]int64, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				in := message(i)
				in.Claim = true
				a, err := s.Add(b.Context(), in)
				if err != nil {
					b.Error(err)
					return
				}
				all[i-1] = a.Receipts[0].ID
			}
		})
	}
	wg.Wait()
	return s, all
}

// BenchmarkList lists 100,000 recipients of as many messages.
func BenchmarkList(b *testing.B) {
	s, _ := claimedBulk(b, 100_000)
	b.ReportAllocs()
	spent := cpu(b)
	for b.Loop() {
		n := 0
		for _, err := range s.List(b.Context(), Filter{}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 100_000 {
			b.Fatal(n)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/listing")
	b.ReportMetric((cpu(b)-spent).Seconds()/float64(b.N), "cpu-s/listing")
}

func BenchmarkCounts(b *testing.B) {
	s, _ := claimedBulk(b, 100_000)
	for b.Loop() {
		if _, err := s.Counts(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
