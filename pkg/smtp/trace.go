package smtp

import (
	"fmt"
	"io"

	"github.com/sendctl/sendctl/pkg/mail"
)

// tracer writes a session's dialogue; the zero value writes nothing.
type tracer struct {
	w    io.Writer
	peer string
}

// heard writes a line that the server said.
func (t tracer) heard(raw []byte) {
	if t.w != nil {
		t.line("S", string(raw))
	}
}

// line writes one line of the dialogue: who is C, S or * (a remark of ours).
func (t tracer) line(who, text string) {
	if t.w == nil {
		return
	}
	// A trace that cannot be written must not hinder the mail.
	_, _ = fmt.Fprintf(t.w, "%s %s: %s\n", t.peer, who, mail.Clean(text))
}
