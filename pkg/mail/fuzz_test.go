package mail

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"
)

// FuzzParse: nothing makes Parse panic, and what it accepts goes out canonical, whole,
// without what must not go out, and is read by a server as exactly one message.
func FuzzParse(f *testing.F) {
	lf := strings.ReplaceAll(sound, "\r\n", "\n")
	for _, s := range []string{sound, lf, byteOrderMark + sound, lf + "\n.\n", sound + "\r\n.\r\nQUIT\r\n", "Bcc: c@x.com,\n\td@x.com\n" + lf,
		"Return-Path: <>\nResent-Bcc: x@y.zz\n" + lf, "From: a@x.com, b@x.com\nTo: g: c@x.com;\nDate:\nMessage-ID:\n\nx",
		"DKIM-Signature: x\n" + sound, "From: a@x.com\nTo: ü <b@ü.ü>\nSubject: =?utf-8?q?x?=\n y\n\n\n", "From x\n" + lf, "\xff\xfeF\x00", sound + "\r\r\n",
		"bCc : x\n" + lf, sound + "\x00", "From: \"a b\"@x.com\nSender: (c) d@x.com\nTo: e@x.com\n\n"} {
		f.Add(s)
	}
	st := Stamp{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "<new@example.com>"}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := parseString(s)
		if err != nil {
			if bad, ok := errors.AsType[*ParseError](err); !ok || bad.Line < 1 || bad.Line > strings.Count(s, "\n")+1 || bad.Reason == "" {
				t.Fatalf("%q: %#v", s, err)
			}
			return
		}
		if m.SHA256() != sha256.Sum256([]byte(s)) || len(m.Recipients()) == 0 || len(m.Authors()) == 0 {
			t.Fatalf("%q: %+v", s, m)
		}
		for _, a := range append(m.Recipients(), m.Authors()...) {
			if b, err := ParseAddress(a.String()); err != nil || a != b {
				t.Fatalf("%q: address %q, %v", s, a, err)
			}
		}
		m.Subjects()
		m.Date()
		m.AutoSubmitted()
		wire := wireOf(t, m, st)
		checkWire(t, wire)
		checkWhole(t, s, st)
		arrives(t, m, wireOf(t, m, Stamp{}))
		if resent, _ := m.countFields(); resent {
			return // without its Resent-Bcc it may not be a resent one any more
		}
		again, err := ParseFor(strings.NewReader(wire), int64(len(wire)), m.Recipients())
		if err != nil {
			t.Fatalf("what went out is refused: %v", err)
		}
		if twice := wireOf(t, again, st); twice != wire {
			t.Fatalf("went out as %q, and then as %q", wire, twice)
		}
		if again.EightBit() != m.EightBit() || again.NeedsSMTPUTF8() != m.NeedsSMTPUTF8() {
			t.Fatalf("%q: other needs once it went out", s)
		}
		if again.MessageID() == "" || again.DateField() == "" {
			t.Fatalf("no Message-ID or Date in %q", wire)
		}
	})
}

// checkWire reads a wire form the simple way.
func checkWire(t *testing.T, wire string) {
	t.Helper()
	if !strings.HasSuffix(wire, "\r\n") || strings.ContainsAny(strings.ReplaceAll(wire, "\r\n", ""), "\r\n\x00") {
		t.Fatalf("not canonical: %q", wire)
	}
	header, _, ok := strings.Cut(wire, "\r\n\r\n")
	if !ok {
		t.Fatalf("no end of the header: %q", wire)
	}
	for line := range strings.SplitSeq(wire, "\r\n") {
		if len(line) > 998 {
			t.Fatalf("a line of %d octets", len(line))
		}
	}
	for line := range strings.SplitSeq(header, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "bcc", "resent-bcc", "return-path":
			if line[0] != ' ' && line[0] != '\t' {
				t.Fatalf("%q went out", line)
			}
		}
	}
}
