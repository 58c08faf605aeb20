package ui

import (
	"io"
	"strings"

	"github.com/sendctl/sendctl/pkg/mail"
)

// name begins every line of talk.
const name = "sendctl"

// Error tells on stderr why the command fails and, where hint is not empty, what to do about
// it. It ends the progress bar. In a JSON format the last line on stderr is an object with
// the exit status, so that a program need not read prose (SPEC §3).
func (o *Output) Error(exit int, message, hint string) {
	o.endProgress()
	o.mu.Lock()
	defer o.mu.Unlock()
	text := o.line(Bad, "error", message)
	if hint != "" {
		text += o.line(Faint, "hint", hint)
	}
	if o.format.JSON() {
		type failure struct {
			Exit    int    `json:"exit"`
			Message string `json:"message"`
			Hint    string `json:"hint"`
		}
		if line, err := encode(struct {
			Error failure `json:"error"`
		}{failure{exit, message, hint}}); err == nil {
			text += string(line) + "\n"
		}
	}
	o.tell(text)
}

// Warn tells on stderr what is worth knowing although the command goes on; hint may be
// empty. Silent with -q.
func (o *Output) Warn(message, hint string) {
	if o.quiet {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	text := o.line(Notice, "warning", message)
	if hint != "" {
		text += o.line(Faint, "hint", hint)
	}
	o.tell(text)
}

// Hint tells on stderr what might be done next. Silent with -q.
func (o *Output) Hint(message string) {
	if o.quiet {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tell(o.line(Faint, "hint", message))
}

// line is one piece of talk. A message of several lines (a place in a file, with a caret
// under the fault) keeps them; one of a single line wraps at words on a terminal, but no word
// is broken, for it may be a path or a command to copy.
func (o *Output) line(tone Tone, kind, message string) string {
	lead := phrase{name + ": " + kind + ": ", o.shade.as(Faint, name+":") + " " + o.shade.as(tone, kind+":") + " "}
	lines := strings.Split(strings.TrimRight(message, "\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(mail.Clean(l), " ")
	}
	limit := o.err.columns()
	if len(lines) > 1 || limit == 0 {
		return lead.painted + strings.Join(lines, "\n") + "\n"
	}
	phrases := []phrase{lead}
	for word := range strings.FieldsSeq(lines[0]) {
		phrases = append(phrases, phrase{word + " ", word + " "})
	}
	return flow(phrases, limit) + "\n"
}

// tell writes talk with the progress bar out of the way. Where stderr is gone nobody is
// left to be told. o.mu is held.
func (o *Output) tell(text string) {
	o.wipe()
	_, _ = io.WriteString(o.err.W, text)
}
