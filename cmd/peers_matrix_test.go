//go:build peers && linux

package cmd_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A matrix says what becomes of mail to each recipient under each profile. Its file is the
// expectation and reads as a table: a recipient, and below it a line for each profile.
// With UPDATE_SCRIPTS set the file is written anew, to be read again by a person.
type matrix struct {
	file  string
	lines []matrixLine
}

type matrixLine struct {
	text               string // as it stands, where it is no expectation
	recipient, profile string
	want               string
}

func readMatrix(t *testing.T, file string) *matrix {
	t.Helper()
	m := &matrix{file: file}
	recipient := ""
	for line := range strings.Lines(readTestdata(t, file)) {
		line = strings.TrimRight(line, " \n")
		switch {
		case strings.HasPrefix(line, "\t"):
			profile, want, _ := strings.Cut(strings.TrimSpace(line), " ")
			m.lines = append(m.lines, matrixLine{recipient: recipient, profile: profile, want: strings.TrimSpace(want)})
			continue
		case line != "" && line[0] != '#':
			recipient = line
		}
		m.lines = append(m.lines, matrixLine{text: line})
	}
	return m
}

func (m *matrix) write(t *testing.T) {
	t.Helper()
	width := 0
	for _, l := range m.lines {
		width = max(width, len(l.profile))
	}
	var b bytes.Buffer
	for _, l := range m.lines {
		if l.profile == "" {
			fmt.Fprintln(&b, l.text)
			continue
		}
		fmt.Fprintf(&b, "\t%-*s %s\n", width, l.profile, l.want)
	}
	if err := os.WriteFile(filepath.Join("testdata/peers", m.file), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// of lists a profile's lines.
func (m *matrix) of(profile string) []*matrixLine {
	var out []*matrixLine
	for i := range m.lines {
		if m.lines[i].profile == profile {
			out = append(out, &m.lines[i])
		}
	}
	return out
}

func (m *matrix) profiles() []string {
	all := map[string]bool{}
	for _, l := range m.lines {
		if l.profile != "" {
			all[l.profile] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// outcomeOf is a recipient's outcome in a matrix's words: how it was delivered, or why not, and
// where the sessions ended that came to nothing. Dates are no part of it.
func outcomeOf(r *sentRecipient) string {
	s := fmt.Sprintf("%s %d %s", r.Status, r.Code, r.EnhancedCode)
	if r.Status != "delivered" {
		s += fmt.Sprintf(" %s/%s %q", r.Category, r.Reason, r.Reply)
	}
	if r.TLS != nil {
		s += fmt.Sprintf(" %s %s %s %s", r.TLS.Version, r.TLS.Cipher, orDash(r.TLS.Group), r.TLS.Verified)
		if r.TLS.VerifyError != "" {
			s += fmt.Sprintf(" %q", r.TLS.VerifyError)
		}
	} else if r.Status == "delivered" {
		s += " CLEARTEXT"
	}
	for _, a := range r.Attempts {
		s += fmt.Sprintf(" <%s %s>", a.Stage, strings.TrimSpace(a.TLSVersion+" "+a.Reason))
	}
	date := regexp.MustCompile(`\d{4}-\d\d-\d\d`)
	return date.ReplaceAllString(s, "DATE")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// peerServer is a real server's side of the story.
type peerServer interface {
	// mail is every message that it filed so far.
	mail(t *testing.T) []arrived
	// inClear is every session so far in which it heard an envelope outside TLS, by its log.
	inClear(t *testing.T) []string
}

// run sends one message to each recipient, profile by profile, and holds the outcomes against
// the matrix and against what the server has.
func (m *matrix) run(t *testing.T, n *peersNet, server, home peerServer) {
	for _, profile := range m.profiles() {
		t.Run(profile, func(t *testing.T) {
			lines := m.of(profile)
			messages := map[string]string{}
			for _, l := range lines {
				id := l.recipient + "." + profile
				body := strings.Repeat("a line as long as lines of mail are\n", 30) + ".a line with a dot\n.\n..\n" + secret + " " + id + "\n"
				messages[id] = newMessage(id, l.recipient+".peer.test", body)
			}
			before := len(server.inClear(t))
			r := n.send(t, "--profile", profile, n.batch(t, messages))
			m.compare(t, lines, r)
			w := newWitness(t, n, server, home)
			for i := range r.Recipients {
				w.check(t, &r.Recipients[i], messages)
				w.notice(t, &r.Recipients[i])
			}
			if want := statusFor(r); r.status != want {
				t.Errorf("exit status %d, want %d\n%s", r.status, want, r.stderr)
			}
			// FAULTS T21: the servers' own account of what left in clear.
			if got := server.inClear(t)[before:]; r.Recipients[0].TLSMode == "forced" && len(got) > 0 {
				t.Errorf("envelopes went out in clear:\n%s", strings.Join(got, "\n"))
			} else if r.Recipients[0].TLSMode != "forced" && len(got) < r.Summary["cleartext"] {
				t.Errorf("%d recipients were sent to in clear, and the servers noticed %d envelopes", r.Summary["cleartext"], len(got))
			}
		})
	}
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		m.write(t)
	}
}

func (m *matrix) compare(t *testing.T, lines []*matrixLine, r *sentReport) {
	t.Helper()
	got := map[string]*sentRecipient{}
	for i := range r.Recipients {
		got[strings.TrimSuffix(r.Recipients[i].Recipient, ".peer.test")] = &r.Recipients[i]
	}
	if len(got) != len(lines) || len(r.Recipients) != len(lines) {
		t.Fatalf("%d recipients reported, %d were sent to", len(r.Recipients), len(lines))
	}
	for _, l := range lines {
		is := outcomeOf(got[l.recipient])
		if os.Getenv("UPDATE_SCRIPTS") != "" {
			l.want = is
		} else if is != l.want {
			t.Errorf("%s under %s:\n  is   %s\n  want %s", l.recipient, l.profile, is, l.want)
		}
	}
}

// statusFor is the exit status that a report's rows call for (SPEC §3).
func statusFor(r *sentReport) int {
	has := func(status string) bool {
		return slices.ContainsFunc(r.Recipients, func(p sentRecipient) bool { return p.Status == status })
	}
	switch {
	case len(r.Refused) > 0:
		return statusInvalid
	case has("bounced"):
		return statusBounced
	case has("deferred") || has("in-doubt"):
		return statusDeferred
	}
	return statusOK
}
