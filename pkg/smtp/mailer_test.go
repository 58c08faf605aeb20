package smtp

import (
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// mailer is a session in clear with a server that has said EHLO's keywords, and answers so.
func mailer(t *testing.T, keywords []string, answers ...string) (*Mailer, *canned) {
	t.Helper()
	ehlo := "250-mx.test\r\n"
	for _, k := range keywords {
		ehlo += "250-" + k + "\r\n"
	}
	conn := say("220 mx.test\r\n" + ehlo + "250 HELP\r\n" + strings.Join(answers, "\r\n") + "\r\n")
	s, f := Open(t.Context(), conn, Peer{Host: "mx.test", IP: "192.0.2.1"}, options())
	if f == nil {
		f = s.Hello("mta1.test")
	}
	if f != nil {
		t.Fatal(f)
	}
	m, f := s.Admit(policy.Requirement{})
	if f != nil {
		t.Fatal(f)
	}
	conn.said.Reset()
	return m, conn
}

func address(s string) mail.Address {
	local, domain, _ := strings.Cut(s, "@")
	return mail.Address{Local: local, Domain: domain}
}

// What MAIL and RCPT say follows from what the server offers and the message needs.
func TestParameters(t *testing.T) {
	t.Parallel()
	all := []string{"SIZE 1000", "8BITMIME", "SMTPUTF8", "DSN"}
	for _, c := range []struct {
		name     string
		keywords []string
		edit     func(*Transaction)
		mail     string
		rcpt     string
	}{
		{"nothing offered", nil, nil, "MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>"},
		{"SIZE", []string{"SIZE"}, nil, "MAIL FROM:<a@a.test> SIZE=5", "RCPT TO:<b@b.test>"},
		{"all offered, nothing needed", all, nil, "MAIL FROM:<a@a.test> SIZE=5 RET=HDRS", "RCPT TO:<b@b.test> NOTIFY=FAILURE"},
		{"ENVID", []string{"DSN"}, func(tx *Transaction) { tx.EnvelopeID = "x+y" }, "MAIL FROM:<a@a.test> RET=HDRS ENVID=x+2By", "RCPT TO:<b@b.test> NOTIFY=FAILURE"},
		{"null reverse-path", []string{"DSN"}, func(tx *Transaction) { tx.From = mail.Address{} }, "MAIL FROM:<> RET=HDRS", "RCPT TO:<b@b.test> NOTIFY=NEVER"},
		{"8-bit content", all, func(tx *Transaction) { tx.EightBit = true }, "MAIL FROM:<a@a.test> SIZE=5 BODY=8BITMIME RET=HDRS", "RCPT TO:<b@b.test> NOTIFY=FAILURE"},
		{"a header in UTF-8", all, func(tx *Transaction) { tx.UTF8 = true }, "MAIL FROM:<a@a.test> SIZE=5 BODY=8BITMIME SMTPUTF8 RET=HDRS", "RCPT TO:<b@b.test> NOTIFY=FAILURE"},
		{"a sender in UTF-8", all, func(tx *Transaction) { tx.From = address("ä@a.test") }, "MAIL FROM:<ä@a.test> SIZE=5 BODY=8BITMIME SMTPUTF8 RET=HDRS", "RCPT TO:<b@b.test> NOTIFY=FAILURE"},
		{"a recipient in UTF-8", all, func(tx *Transaction) { tx.Recipients = []mail.Address{address("ö@b.test")} },
			"MAIL FROM:<a@a.test> SIZE=5 BODY=8BITMIME SMTPUTF8 RET=HDRS", "RCPT TO:<ö@b.test> NOTIFY=FAILURE"},
		{"a quoted local part", nil, func(tx *Transaction) { tx.Recipients = []mail.Address{address(`a b@b.test`)} }, "MAIL FROM:<a@a.test>", `RCPT TO:<"a b"@b.test>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, conn := mailer(t, c.keywords, "250 ok", "250 ok", "354 go", "250 taken")
			tx := &Transaction{From: address("a@a.test"), Recipients: []mail.Address{address("b@b.test")}, Content: text{strings.NewReader("x\r\n\r\n")}}
			if c.edit != nil {
				c.edit(tx)
			}
			if a := m.Send(tx); !a[0].Delivered() {
				t.Errorf("%+v", a[0])
			}
			if want := c.mail + "\r\n" + c.rcpt + "\r\nDATA\r\nx\r\n\r\n.\r\n"; conn.said.String() != want {
				t.Errorf("said %q, want %q", conn.said.String(), want)
			}
			m.Close()
		})
	}
}

// M11, M12, S24: what the server cannot take is not put to it; what concerns one recipient
// alone leaves the others theirs.
func TestNotOffered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		keywords []string
		edit     func(*Transaction)
		reasons  []policy.Reason // of each recipient; "": delivered
	}{
		{"8BITMIME", []string{"SMTPUTF8"}, func(tx *Transaction) { tx.EightBit = true }, []policy.Reason{policy.EightBitNotSupported, policy.EightBitNotSupported}},
		{"SMTPUTF8, header", []string{"8BITMIME"}, func(tx *Transaction) { tx.UTF8 = true }, []policy.Reason{policy.SMTPUTF8NotSupported, policy.SMTPUTF8NotSupported}},
		{"SMTPUTF8, sender", []string{"8BITMIME"}, func(tx *Transaction) { tx.From = address("ä@a.test") }, []policy.Reason{policy.SMTPUTF8NotSupported, policy.SMTPUTF8NotSupported}},
		{"SMTPUTF8, one recipient", []string{"8BITMIME"}, func(tx *Transaction) { tx.Recipients[1] = address("ö@b.test") }, []policy.Reason{"", policy.SMTPUTF8NotSupported}},
		{"SIZE", []string{"SIZE 4"}, nil, []policy.Reason{policy.MessageTooLarge, policy.MessageTooLarge}},
		{"SIZE just so", []string{"SIZE 5"}, nil, []policy.Reason{"", ""}},
		{"SIZE 0", []string{"SIZE 0"}, nil, []policy.Reason{"", ""}},
		{"SIZE that is none", []string{"SIZE -7"}, nil, []policy.Reason{"", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, conn := mailer(t, c.keywords, "250 ok", "250 ok", "250 ok", "354 go", "250 taken")
			if c.reasons[1] != "" {
				m, conn = mailer(t, c.keywords, "250 ok", "250 ok", "354 go", "250 taken")
			}
			tx := &Transaction{From: address("a@a.test"), Recipients: []mail.Address{address("b@b.test"), address("c@b.test")}, Content: text{strings.NewReader("x\r\n\r\n")}}
			if c.edit != nil {
				c.edit(tx)
			}
			for i, a := range m.Send(tx) {
				switch want := c.reasons[i]; {
				case want == "" && !a.Delivered():
					t.Errorf("recipient %d: %+v", i, a)
				case want != "" && (a.Failure == nil || a.Failure.Reason != want || !a.Failure.Definitive || a.Failure.Stage != delivery.StageMAIL):
					t.Errorf("recipient %d: %+v", i, a.Failure)
				}
			}
			if c.reasons[0] != "" && conn.said.Len() > 0 {
				t.Errorf("said %q", conn.said.String())
			}
			if !m.Usable() {
				t.Error("the session is of no more use")
			}
			m.Close()
		})
	}
}
