//go:build peers && linux

package cmd_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// dotSequences are all sequences of CR, LF and dot of up to n octets (M2).
func dotSequences(n int) []string {
	all := []string{""}
	for from := 0; n > 0; n-- {
		to := len(all)
		for _, s := range all[from:to] {
			all = append(all, s+"\r", s+"\n", s+".")
		}
		from = to
	}
	return all
}

// loneCR is the octets that no message may hold: CR without LF (RFC 5321 §2.3.8).
func loneCR(s string) bool { return strings.Contains(strings.ReplaceAll(s, "\r\n", ""), "\r") }

// checkPermutations sends every sequence of CR, LF and dot up to length six as the beginning,
// the middle and the end of a body. What Parse accepts has to arrive as exactly one message,
// octet for octet; what it refuses must not arrive.
func checkPermutations(t *testing.T, n *peersNet, server peerServer) {
	messages, lone := map[string]string{}, map[string]bool{}
	for i, s := range dotSequences(6) {
		id := fmt.Sprintf("dots%04d", i)
		head := strings.ReplaceAll(newMessage(id, "someone@any.peer.test", ""), "\n", "\r\n")
		messages[id] = head + s + "x" + s + "y" + s
		lone[id] = loneCR(s)
	}
	r := n.send(t, "--profile", "hipaa", n.batch(t, messages))
	if r.status != statusInvalid {
		t.Errorf("exit status %d, want %d: files were refused", r.status, statusInvalid)
	}
	refused := map[string]bool{}
	for _, f := range r.Refused {
		refused[strings.TrimSuffix(filepath.Base(f.File), ".eml")] = true
		if f.Line < 7 || !strings.Contains(f.Error, "carriage return") {
			t.Errorf("%s was refused in line %d: %s", f.File, f.Line, f.Error)
		}
	}
	arrivals := map[string][]arrived{}
	for _, a := range server.mail(t) {
		if id := bareID(a.field("Message-ID")); strings.HasPrefix(id, "dots0") || strings.HasPrefix(id, "dots1") {
			arrivals[id] = append(arrivals[id], a)
		}
	}
	for id, text := range messages {
		switch got := arrivals[id]; {
		case refused[id] != lone[id]:
			t.Errorf("%q: refused: %v", text, refused[id])
		case lone[id] && len(got) > 0, !lone[id] && len(got) != 1:
			t.Errorf("%q arrived as %d messages", text, len(got))
		case !lone[id] && !bytes.Equal(got[0].content, canonical(text)):
			t.Errorf("%q arrived as %q", text, got[0].content)
		}
	}
	// Counted apart: words over CRLF, LF and dot, 1+2+5+12+29+70+169.
	if sent := len(messages) - len(refused); sent != 288 || len(arrivals) != 288 || r.Summary["delivered"] != 288 || len(messages) != 1093 {
		t.Errorf("of %d files %d were accepted, %d reported delivered, %d arrived", len(messages), sent, r.Summary["delivered"], len(arrivals))
	}
	if got := len(server.mail(t)); got == 0 {
		t.Error("nothing arrived at all")
	}
}
