package send_test

import (
	"fmt"
	"testing"

	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/send"
)

// BenchmarkSend is one message of 2 KB to one recipient: read, accepted durably, delivered
// over TLS 1.3, and its outcome recorded. The mail host runs in the same process.
func BenchmarkSend(b *testing.B) {
	l := newBenchLab(b)
	inputs := make([]send.Input, b.N)
	for i := range inputs {
		inputs[i] = letter(fmt.Sprintf("m%d", i), 2048, fmt.Sprintf("r%d@modern.test", i))
	}
	opts := send.Options{Sender: l.sender(hipaa), Again: true}
	cfg := l.config(nil)
	b.ReportAllocs()
	b.ResetTimer()
	r := send.Send(b.Context(), cfg, opts, inputs)
	b.StopTimer()
	if r.Summary.Delivered != b.N {
		b.Fatalf("%+v", r.Summary)
	}
}

func newBenchLab(b *testing.B) *lab {
	b.Helper()
	return newLab(b, plan{
		domains: []sandbox.Domain{{Name: "modern.test", Hosts: []sandbox.Host{{}}}},
		keep:    sandbox.KeepCounts,
	})
}
