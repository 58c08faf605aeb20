package ui

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func clockAt(t time.Time) func() time.Time { return func() time.Time { return t } }

// C12: colour is decided per stream, and by nothing but that stream and the environment.
func TestColour(t *testing.T) {
	t.Parallel()
	tty, pipe := terminal(new(bytes.Buffer), 80), Stream{W: new(bytes.Buffer)}
	for _, c := range []struct {
		what           string
		stdout, stderr Stream
		noColor        bool
		env            []string
		out, err       bool
	}{
		{"both terminals", tty, tty, false, nil, true, true},
		{"stdout piped", pipe, tty, false, nil, false, true},
		{"stderr piped", tty, pipe, false, nil, true, false},
		{"--no-color", tty, tty, true, nil, false, false},
		{"NO_COLOR=1", tty, tty, false, []string{"NO_COLOR", "1"}, false, false},
		{"NO_COLOR empty", tty, tty, false, []string{"NO_COLOR", ""}, true, true},
		{"CLICOLOR=0", tty, tty, false, []string{"CLICOLOR", "0"}, false, false},
		{"CLICOLOR_FORCE does not force a pipe", pipe, pipe, false, []string{"CLICOLOR_FORCE", "1"}, false, false},
		{"TERM=dumb", tty, tty, false, []string{"TERM", "dumb"}, false, false},
	} {
		o := New(Options{Stdout: c.stdout, Stderr: c.stderr, NoColor: c.noColor, Getenv: environ(c.env...)})
		out, err := o.paint.as(Alarm, "x") != "x", o.shade.as(Alarm, "x") != "x"
		if out != c.out || err != c.err {
			t.Errorf("%s: colour on stdout %v, on stderr %v, want %v, %v", c.what, out, err, c.out, c.err)
		}
	}
}

// Only the sixteen colours of the terminal's theme are used.
func TestColourCodes(t *testing.T) {
	t.Parallel()
	o := onTerminal(80, Options{})
	for tone, want := range map[Tone]string{
		Good: "\x1b[32mx\x1b[0m", Notice: "\x1b[33mx\x1b[0m", Bad: "\x1b[31mx\x1b[0m", Alarm: "\x1b[1;31mx\x1b[0m",
		Strong: "\x1b[1mx\x1b[0m", Faint: "\x1b[2mx\x1b[0m", Plain: "x",
	} {
		if got := o.paint.as(tone, "x"); got != want {
			t.Errorf("tone %d is %q, want %q", tone, got, want)
		}
	}
}

func TestGlyphs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		all, ctype, lang string
		ascii            bool
	}{
		{"", "", "en_GB.UTF-8", false}, {"", "", "C.utf8", false}, {"", "C", "en_GB.UTF-8", true},
		{"C", "", "en_GB.UTF-8", true}, {"C.UTF-8", "C", "C", false}, {"", "", "", true}, {"", "", "de_DE.ISO-8859-1", true},
	} {
		g := glyphsFor(environ("LC_ALL", c.all, "LC_CTYPE", c.ctype, "LANG", c.lang))
		if g.ascii != c.ascii {
			t.Errorf("%+v: ASCII %v", c, g.ascii)
		}
	}
}

// A buffer and a pipe are no terminals: nothing is bounded, coloured or drawn.
func TestNewStream(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for _, s := range []Stream{NewStream(new(bytes.Buffer)), NewStream(w)} {
		if s.Terminal || s.columns() != 0 {
			t.Errorf("%T is taken for a terminal of %d columns", s.W, s.columns())
		}
	}
	unknown := Stream{W: w, Terminal: true, Columns: func() int { return 0 }}
	if n := unknown.columns(); n != 80 {
		t.Errorf("a terminal of unknown width has %d columns, want 80", n)
	}
}

func TestParseFormat(t *testing.T) {
	t.Parallel()
	for _, f := range Formats() {
		if got, err := ParseFormat(string(f)); got != f || err != nil {
			t.Errorf("%s: %v, %v", f, got, err)
		}
	}
	for _, s := range []string{"", "JSON", "yaml"} {
		if _, err := ParseFormat(s); err == nil || !strings.Contains(err.Error(), "table, json, jsonl, csv") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestTalk(t *testing.T) {
	t.Parallel()
	s := piped(Options{})
	s.Warn("EHLO name localhost is no public FQDN", "set hostname in sendctl.toml")
	s.Hint("rule first-national is disabled")
	s.Error(78, "profiles/medical.toml:3:8: unknown cipher\n  ciphers = [\"X\"]\n             ^\x1b[2J", "see profile show hipaa")
	want := `sendctl: warning: EHLO name localhost is no public FQDN
sendctl: hint: set hostname in sendctl.toml
sendctl: hint: rule first-national is disabled
sendctl: error: profiles/medical.toml:3:8: unknown cipher
  ciphers = ["X"]
             ^` + "\uFFFD" + `[2J
sendctl: hint: see profile show hipaa
`
	if got := s.stderr.String(); got != want {
		t.Errorf("stderr is\n%s\nwant\n%s", got, want)
	}
	if s.stdout.Len() > 0 {
		t.Errorf("stdout is data, and has %q", s.stdout)
	}
}

// SPEC §3: in a JSON format the last line on stderr is an object.
func TestErrorInJSON(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{FormatJSON, FormatJSONL} {
		s := piped(Options{Format: f, Quiet: true})
		s.Warn("not told", "with -q")
		s.Hint("nor this")
		s.Error(78, "no profile <hippa>", "did you mean hipaa?")
		want := "sendctl: error: no profile <hippa>\nsendctl: hint: did you mean hipaa?\n" +
			`{"error":{"exit":78,"message":"no profile <hippa>","hint":"did you mean hipaa?"}}` + "\n"
		if got := s.stderr.String(); got != want {
			t.Errorf("%s: stderr is %q, want %q", f, got, want)
		}
	}
}

// Talk wraps at words on a terminal, but a path or command stays whole for copying.
func TestTalkWraps(t *testing.T) {
	t.Parallel()
	s := onTerminal(40, Options{NoColor: true})
	s.Hint("chmod 600 /a/very/long/path/that/is/wider/than/the/terminal.pem makes the key private")
	want := "sendctl: hint: chmod 600\n  /a/very/long/path/that/is/wider/than/the/terminal.pem\n  makes the key private\n"
	if got := s.stderr.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// F12, C12: a stdout that cannot be written to is an error of the command; it does not stop talk.
func TestStdoutFails(t *testing.T) {
	t.Parallel()
	for _, f := range Formats() {
		var stderr bytes.Buffer
		o := New(Options{Stdout: Stream{W: broken{}}, Stderr: Stream{W: &stderr}, Format: f})
		err := o.Report(report())
		if err == nil || !strings.Contains(err.Error(), "writing results: no space left on device") {
			t.Errorf("%s: error %v", f, err)
		}
		o.Error(74, err.Error(), "")
		if !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%s: stderr is %q", f, &stderr)
		}
	}
}
