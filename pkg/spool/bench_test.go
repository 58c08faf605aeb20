package spool

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// callers runs do so many times, by so many goroutines.
func callers(b *testing.B, n int, do func(i int) error) {
	b.ReportAllocs()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	started := time.Now()
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
}

// bulk is a message of 2 KB.
func bulk(i int) Incoming {
	in := incoming(i, fmt.Sprintf("r%d@d%d.test", i, i%500))
	in.Body = text(strings.Repeat("x", 1998) + "\r\n")
	return in
}

func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			s := openTest(b, stateDir(b), Options{})
			callers(b, n, func(i int) error {
				_, err := s.Add(b.Context(), bulk(i))
				return err
			})
		})
	}
}

// One transaction, and so an fsync of body and log each, for every message: what group commit saves.
func BenchmarkAddAlone(b *testing.B) {
	s := openTest(b, stateDir(b), Options{MaxGroup: 1})
	callers(b, 64, func(i int) error {
		_, err := s.Add(b.Context(), bulk(i))
		return err
	})
}
