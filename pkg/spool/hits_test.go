package spool

import (
	"crypto/sha256"
	"testing"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Rules are counted by recipients, whether these wait or are settled.
func TestRuleHits(t *testing.T) {
	t.Parallel()
	s := openTest(t, stateDir(t), Options{})
	for queueID, rules := range map[string][]string{"m1": {"bank", "secure"}, "m2": {"bank"}, "m3": nil} {
		in := Incoming{
			Message: Message{QueueID: queueID, Source: sha256.Sum256([]byte(queueID)), ReversePath: mail.Address{Local: "lab", Domain: "clinic.test"}},
			Body:    text("Subject: x\r\n\r\nbody\r\n"), Claim: true,
		}
		for _, local := range []string{"a", "b"} {
			in.Recipients = append(in.Recipients, Addressee{mail.Address{Local: local, Domain: "example.com"}, &policy.Decision{Profile: "hipaa", Rules: rules}})
		}
		got, err := s.Add(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Settle(t.Context(), Settlement{Recipient: got.Receipts[0].ID, Outcome: delivered()}); err != nil {
			t.Fatal(err)
		}
	}
	hits, err := s.RuleHits(t.Context())
	if err != nil || hits["bank"] != 4 || hits["secure"] != 2 || len(hits) != 2 {
		t.Errorf("hits %v, %v", hits, err)
	}
}
