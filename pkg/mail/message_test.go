package mail

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func join(list []Address) string {
	var out []string
	for _, a := range list {
		out = append(out, a.String())
	}
	return strings.Join(out, " ")
}

// TestRecipients is FAULTS M6 and M7.
func TestRecipients(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, fields, want string }{
		{"To", "To: b@x.com", "b@x.com"},
		{"M6 two To fields", "To: b@x.com\nTo: c@x.com", "b@x.com c@x.com"},
		{"M6 To, Cc and Bcc, twice each, in their order", "Cc: 1@x.com\nTo: 2@x.com\nBcc: 3@x.com\nTO: 4@x.com\nbcc: 5@x.com\ncC: 6@x.com",
			"1@x.com 2@x.com 3@x.com 4@x.com 5@x.com 6@x.com"},
		{"once each, domains in any form", "To: b@x.com, B@x.com, b@X.COM.\nCc: b@bücher.example, b@XN--BCHER-KVA.example",
			"b@x.com B@x.com b@xn--bcher-kva.example"},
		{"more than a few", "To: 1@x.com,2@x.com,3@x.com,4@x.com,5@x.com,6@x.com,7@x.com,8@x.com,9@x.com,1@x.com,9@X.com",
			"1@x.com 2@x.com 3@x.com 4@x.com 5@x.com 6@x.com 7@x.com 8@x.com 9@x.com"},
		{"M7 no To but Bcc", "Bcc: b@x.com", "b@x.com"},
		{"M7 empty group and Bcc", "To: undisclosed-recipients:;\nBcc: b@x.com", "b@x.com"},
		{"M7 group", "To: team: b@x.com, C <c@x.com>;, d@x.com", "b@x.com c@x.com d@x.com"},
		{"blank fields", "To:\nCc: \nBcc: b@x.com", "b@x.com"},
		{"M7 Resent fields alone count", "To: b@x.com\nBcc: c@x.com\nResent-To: d@x.com\nResent-Cc: e@x.com\nResent-Bcc: f@x.com\nResent-To: g@x.com",
			"d@x.com e@x.com f@x.com g@x.com"},
		{"what was resent need not be sound", "To: junk\nResent-To: d@x.com", "d@x.com"},
		{"folded", "To: b@x.com,\n\tC\n <c@x.com>", "b@x.com c@x.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := mustParse(t, "From: a@example.com\n"+tt.fields+"\n\nx\n")
			if got := join(m.Recipients()); got != tt.want {
				t.Errorf("recipients %s, want %s", got, tt.want)
			}
		})
	}
}

func TestEnvelopeRefused(t *testing.T) {
	t.Parallel()
	const from, to = "From: a@example.com\n", "To: b@x.com\n"
	many := "To: b@x.com" + strings.Repeat(",\n b@x.com", maxRecipients)
	for _, tt := range []struct {
		name, fields string
		line         int
		words        string
	}{
		{"M7 no recipients", from, 2, "no recipients"},
		{"M7 only an empty group", from + "To: undisclosed-recipients:;\n", 3, "no recipients"},
		{"M7 blank To", from + "To: \n", 3, "no recipients"},
		{"blank Resent-To takes away the others", from + to + "Resent-To:\n", 4, "no recipients"},
		{"M4 too many recipients", from + many + "\n", 2, "more than 100000 recipients"},
		{"M6 no From", to, 2, "no From"},
		{"blank From", "From:\n" + to, 3, "no From"},
		{"From is an empty group", "From: nobody:;\n" + to, 3, "neither From nor Sender"},
		{"M6 two From", from + to + "From: c@example.com\n", 3, "second"},
		{"M6 two Date", from + "Date: x\n" + to + "DATE: y\n", 4, "second"},
		{"M6 two Message-ID", from + "Message-ID: <1@x>\nMessage-Id: <2@x>\n" + to, 3, "second"},
		{"two Sender", from + "Sender: a@x.com\nSender: a@x.com\n" + to, 3, "second"},
		{"M9 bad address in To", from + "To: b@x.com,\n c@x.com,\n evil@localhost,\n d@x.com\n", 4, `"evil@localhost"`},
		{"M9 bad address in Bcc", from + to + "Bcc: c@[127.0.0.1]\n", 3, "address literals"},
		{"M9 semicolons", from + "To: b@x.com; c@x.com\n", 2, "commas"},
		{"M9 bad From", "From: root@localhost\n" + to, 1, "no dot"},
		{"bad Sender", from + "Sender: b@x.com, c@x.com\n" + to, 2, "2 addresses"},
		{"blank Sender", from + "Sender:\n" + to, 2, "0 addresses"},
		{"bad Return-Path", "Return-Path: <x>\n" + from + to, 1, "no @"},
		{"Return-Path of two", "Return-Path: <> <>\n" + from + to, 1, "empty"},
		{"ESC in an address", from + "To: \x1b[2J\n", 2, "cannot stand here"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantRefusal(t, tt.fields+"\nx\n", tt.line, tt.words)
		})
	}
}

func TestParseFor(t *testing.T) {
	t.Parallel()
	const in = "From: a@example.com\nTo: undisclosed-recipients:;\n\nx\n"
	b, c := Address{"b", "x.com"}, Address{"c", "x.com"}
	for name, s := range map[string]string{"none of its own": in, "replaced": strings.Replace(in, "undisclosed-recipients:;", "d@x.com", 1)} {
		to := []Address{b, c, b}
		m, err := ParseFor(strings.NewReader(s), int64(len(s)), to)
		if err != nil || !slices.Equal(m.Recipients(), []Address{b, c}) {
			t.Errorf("%s: %v, %v", name, m, err)
		}
		if !slices.Equal(to, []Address{b, c, b}) {
			t.Errorf("%s: the caller's list became %v", name, to)
		}
	}
	bad := "From: a@example.com\nTo: junk\n\nx\n"
	if _, err := ParseFor(strings.NewReader(bad), int64(len(bad)), []Address{b}); err == nil {
		t.Error("a bad To was accepted because it was replaced")
	}
}

func TestOriginator(t *testing.T) {
	t.Parallel()
	const to = "To: b@x.com\n"
	for _, tt := range []struct{ name, fields, path, authors, note string }{
		{"From", "From: A <a@x.com>\n", "a@x.com", "a@x.com", ""},
		{"Sender before From", "From: a@x.com\nSender: s@x.com\n", "s@x.com", "a@x.com s@x.com", ""},
		{"Return-Path before Sender", "Sender: s@x.com\nFrom: a@x.com\nReturn-Path: <r@x.com>\n", "r@x.com", "a@x.com s@x.com", ""},
		{"Return-Path without angles", "From: a@x.com\nReturn-Path: r@x.com\n", "r@x.com", "a@x.com", ""},
		{"M15 null Return-Path", "Return-Path: <>\nFrom: a@x.com\n", "", "a@x.com", ""},
		{"null Return-Path with white space", "Return-Path: (x)\n < > (y)\nFrom: a@x.com\n", "", "a@x.com", ""},
		{"the first Return-Path counts", "Return-Path: <r@x.com>\nReturn-Path: <q@x.com>\nFrom: a@x.com\n", "r@x.com", "a@x.com", "more than one Return-Path"},
		{"M6 From of two", "From: a@x.com, c@x.com\n", "a@x.com", "a@x.com c@x.com", "several addresses"},
		{"M6 From of two and Sender", "From: a@x.com, c@x.com\nSender: c@x.com\n", "c@x.com", "a@x.com c@x.com", ""},
		{"From of a group and Sender (RFC 6854)", "From: nobody:;\nSender: s@x.com\n", "s@x.com", "s@x.com", ""},
		{"two Reply-To", "From: a@x.com\nReply-To: b@x.com\nReply-To: c@x.com\n", "a@x.com", "a@x.com", "more than one Reply-To"},
		{"M6 two Subject", "From: a@x.com\nSubject: 1\nSubject: 2\n", "a@x.com", "a@x.com", "more than one Subject"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := mustParse(t, tt.fields+to+"\nx\n")
			if got := m.ReversePath().String(); got != tt.path || m.ReversePath().IsNull() != (tt.path == "") {
				t.Errorf("reverse-path %q, want %q", got, tt.path)
			}
			if got := join(m.Authors()); got != tt.authors {
				t.Errorf("authors %s, want %s", got, tt.authors)
			}
			if got := strings.Join(m.Notes(), "\n"); (got != "") != (tt.note != "") || !strings.Contains(got, tt.note) {
				t.Errorf("notes %q, want %q", got, tt.note)
			}
		})
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	in := "From: =?utf-8?q?J=C3=BC?=\r\n <a@example.com>\r\nTo: b@x.com\r\nMessage-Id:\r\n <1@example.com> \r\nDate:  Fri, 2 Jan 2026\r\n 03:04:05 +0100 (CET)\r\n\r\nx\r\n"
	m := mustParse(t, in)
	for _, tt := range []struct{ what, got, want string }{
		{"FromField", m.FromField(), "=?utf-8?q?J=C3=BC?= <a@example.com>"},
		{"MessageID", m.MessageID(), "<1@example.com>"},
		{"DateField", m.DateField(), "Fri, 2 Jan 2026 03:04:05 +0100 (CET)"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s = %q, want %q", tt.what, tt.got, tt.want)
		}
	}
	if when, ok := m.Date(); !ok || !when.Equal(time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC)) {
		t.Errorf("Date = %v, %v", when, ok)
	}
	if m.SHA256() != sha256.Sum256([]byte(in)) {
		t.Error("SHA256 is not that of the file")
	}
	bare := mustParse(t, "From: a@example.com\nTo: b@x.com\n\nx\n")
	if _, ok := bare.Date(); ok || bare.MessageID() != "" || bare.DateField() != "" {
		t.Errorf("without Date and Message-ID: %q, %q", bare.DateField(), bare.MessageID())
	}
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, fields string
		want         []string
	}{
		{"none", "", nil},
		{"raw", "Subject: [secure] x", []string{"[secure] x"}},
		{"blank", "Subject:", []string{""}},
		{"every field", "Subject: 1\nsubject: 2", []string{"1", "2"}},
		{"decoded too", "Subject: =?utf-8?B?W3NlY3VyZV0=?=", []string{"=?utf-8?B?W3NlY3VyZV0=?=", "[secure]"}},
		{"word parted over two encoded words and a fold", "Subject: =?utf-8?q?[sec?=\n =?utf-8?q?ure]?=",
			[]string{"=?utf-8?q?[sec?= =?utf-8?q?ure]?=", "[secure]"}},
		{"unknown charset keeps its ASCII", "Subject: =?windows-1252?Q?[secure]_M=FCller?=",
			[]string{"=?windows-1252?Q?[secure]_M=FCller?=", "[secure] M\uFFFDller"}},
		{"broken encoded word", "Subject: =?utf-8?q?x", []string{"=?utf-8?q?x"}},
		{"raw UTF-8", "Subject: grüße", []string{"grüße"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := "From: a@example.com\nTo: b@x.com\n" + tt.fields + "\n\nx\n"
			if tt.fields == "" {
				in = "From: a@example.com\nTo: b@x.com\n\nx\n"
			}
			if got := mustParse(t, in).Subjects(); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestNeeds(t *testing.T) {
	t.Parallel()
	const from, to = "From: a@example.com\n", "To: b@x.com\n"
	for _, tt := range []struct {
		name, in       string
		eight, utf8    bool
		signed, report bool
		auto           bool
		notes          int
	}{
		{name: "ASCII", in: from + to + "\nx\n"},
		{name: "8-bit body", in: from + to + "\nx\xe9\n", eight: true},
		{name: "8-bit far down", in: from + to + "\n" + strings.Repeat("y\n", chunkSize) + "ü", eight: true},
		{name: "UTF-8 header", in: from + to + "Subject: ü\n\nx\n", eight: true, utf8: true},
		{name: "UTF-8 in Bcc alone does not go out", in: from + to + "Bcc: ü <c@x.com>\n\nx\n"},
		{name: "UTF-8 behind Bcc", in: from + "Bcc: ü <c@x.com>\n" + to + "Subject: ü\n\nx\n", eight: true, utf8: true},
		{name: "signed", in: from + to + "DKIM-Signature: v=1\n\nx\n", signed: true},
		{name: "M1 signed and mixed", in: from + to + "dkim-signature: v=1\r\n\nx\n", signed: true, notes: 1},
		{name: "mixed", in: from + to + "\r\nx\n"},
		{name: "M15 auto-submitted", in: from + to + "Auto-Submitted: auto-replied (vacation)\n\nx\n", auto: true},
		{name: "M15 auto-generated with a parameter", in: from + to + "auto-submitted:\n\tAuto-Generated; x=y\n\nx\n", auto: true},
		{name: "Auto-Submitted no", in: from + to + "Auto-Submitted: No (really)\n\nx\n"},
		{name: "M15 bounce", in: from + to + "Content-Type: (c) Multipart/Report;\n report-type=delivery-status\n\nx\n", auto: true, report: true},
		{name: "a type that only begins alike", in: from + to + "Content-Type: multipart/reporting\n\nx\n"},
		{name: "list mail is answerable", in: from + to + "List-Id: <x.example>\nPrecedence: bulk\n\nx\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := mustParse(t, tt.in)
			got := fmt.Sprint(m.EightBit(), m.NeedsSMTPUTF8(), m.HasSignature(), m.IsReport(), m.AutoSubmitted(), len(m.Notes()))
			if want := fmt.Sprint(tt.eight, tt.utf8, tt.signed, tt.report, tt.auto, tt.notes); got != want {
				t.Errorf("8bit utf8 signed report auto notes: %s, want %s", got, want)
			}
		})
	}
}

// TestReceivedCount is FAULTS M13.
func TestReceivedCount(t *testing.T) {
	t.Parallel()
	m := mustParse(t, strings.Repeat("Received: from x\n by y; Fri, 2 Jan 2026 03:04:05 +0000\nreceived: z\n", 50)+sound)
	if m.ReceivedCount() != 100 {
		t.Errorf("%d Received fields, want 100", m.ReceivedCount())
	}
}

func TestParseDate(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Fri, 02 Jan 2026 03:04:05 +0000":                     "2026-01-02T03:04:05Z",
		"Fri,2 Jan 2026 03:04:05 -0530":                       "2026-01-02T08:34:05Z",
		"2 jan 2026 03:04 +0100":                              "2026-01-02T02:04:00Z",
		"Fri, 2 Jan 26 03:04:05 GMT":                          "2026-01-02T03:04:05Z",
		"2 Jan 99 03:04:05 EST":                               "1999-01-02T08:04:05Z",
		"2 Jan 103 03:04:05 UT":                               "2003-01-02T03:04:05Z",
		"(a) Fri(b),(c) 2(d)Jan (e(f)) 2026 03:04:05 Z (CET)": "2026-01-02T03:04:05Z",
		"":                                "",
		"yesterday":                       "",
		"2026-01-02T03:04:05Z":            "",
		"Fri, 32 Jan 2026 03:04:05 +0000": "",
		"Fri, 2 Jan 2026 25:04:05 +0000":  "",
		"Fri, 2 Jan 2026 03:04:05 CEST":   "",
		"Fri, 2 Jan 2026 03:04:05":        "",
		"2 Jan 2026 03:04:05 +0000 (":     "",
		"2 Jan 2026 03:04:05 +0000 x":     "",
		"2 Jan -1 03:04:05 +0000":         "",
	} {
		got, ok := parseDate(in)
		if ok != (want != "") || ok && got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%q is %v, %v; want %s", in, got, ok, want)
		}
	}
}
