package courier

import (
	"testing"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/smtp"
)

// What several hellos to one address came to is one verdict (SPEC §4).
func TestDecisive(t *testing.T) {
	t.Parallel()
	suite13 := &smtp.Failure{Stage: delivery.StagePolicy, Reason: policy.TLSCipherMismatch, Definitive: true, Text: "TLS 1.3's suite"}
	version := &smtp.Failure{Stage: delivery.StageHandshake, Reason: policy.TLSVersionMismatch, Definitive: true, Text: "version"}
	shared := &smtp.Failure{Stage: delivery.StageHandshake, Reason: policy.TLSCipherMismatch, Definitive: true, Text: "nothing shared"}
	lost := &smtp.Failure{Stage: delivery.StageHandshake, Reason: policy.TLSHandshakeFailed, Text: "lost"}
	for _, c := range []struct {
		name string
		said []*smtp.Failure
		want *smtp.Failure
	}{
		{"one", []*smtp.Failure{version}, version},
		{"the last tells most", []*smtp.Failure{shared, version}, version},
		{"a temporary answer wins", []*smtp.Failure{lost, version}, lost},
		{"and where it is the last", []*smtp.Failure{version, lost}, lost},
		{"a server of TLS 1.3 alone, whose suite offends", []*smtp.Failure{suite13, version}, suite13},
		{"one that offends in both versions", []*smtp.Failure{suite13, shared}, suite13},
		{"one that does not answer the second hello", []*smtp.Failure{suite13, lost}, lost},
		{"one that did not answer the first", []*smtp.Failure{lost, suite13, version}, lost},
	} {
		if got := decisive(c.said); got != c.want {
			t.Errorf("%s: %s decides, want %s", c.name, got.Text, c.want.Text)
		}
	}
}
