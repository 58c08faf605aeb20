package dsn

import (
	"bytes"
	"fmt"
	"mime"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
)

// width is where the plain words wrap: what every mail reader shows without wrapping again.
const width = 72

// words is the first part: what happened, to whom, and what to do, for people.
func (n Notification) words() []byte {
	var b bytes.Buffer
	para := func(text string) {
		b.WriteString(wrap(text, "", "") + "\n")
	}
	para(n.opening())
	if n.Action == Delayed {
		para(fmt.Sprintf("It is tried again on its own until %s. You need not do anything now.", n.RetryUntil.Format("2 January 2006 15:04 MST")))
	}
	for _, r := range n.Recipients {
		r.words(&b)
	}
	b.WriteString(n.Original.words())
	para("The message itself is not part of this notice, since it may be confidential.")
	return b.Bytes()
}

func (n Notification) opening() string {
	who := "the recipient below"
	if len(n.Recipients) > 1 {
		who = fmt.Sprintf("the %d recipients below", len(n.Recipients))
	}
	if n.Action == Delayed {
		return "Your message could not be delivered to " + who + " yet."
	}
	return "Your message could not be delivered to " + who + ". Nobody else was told, and it will not be tried again."
}

// words tells one recipient's story.
func (r Recipient) words(b *bytes.Buffer) {
	const hang = "    "
	line := func(text string) { b.WriteString(wrap(text, "  ", hang)) }
	b.WriteString(r.Address.String() + "\n")
	o := r.Outcome
	line(r.happened())
	for _, a := range differing(o.Attempts) {
		b.WriteString(wrap("- "+sentence(delivery.Explain(a)), hang, hang+"  "))
	}
	if said := o.Reply.String(); said != "" {
		line("The server said: " + shortened(said))
	}
	if o.Reason.Category() == policy.CategoryTLS {
		for _, why := range r.Because {
			line("Encryption was demanded: " + sentence(why))
		}
	}
	if what := delivery.Advice(o); what != "" {
		line("What to do: " + what)
	}
	b.WriteString("\n")
}

// happened is the sentence that comes first.
func (r Recipient) happened() string {
	o := r.Outcome
	if o.Reason.Category() == policy.CategoryTLS {
		return "The receiving server could not establish a TLS connection as it was demanded: " + sentence(shortened(o.Text))
	}
	return sentence(shortened(o.Text))
}

// differing lists what each host did, where that is more than the one sentence that was told.
func differing(attempts []delivery.Attempt) []delivery.Attempt {
	var out []delivery.Attempt
	seen := map[string]bool{}
	for _, a := range attempts {
		if key := a.MX + a.IP + a.Text; !seen[key] {
			seen[key] = true
			out = append(out, a)
		}
	}
	if len(out) < 2 {
		return nil
	}
	return out
}

// words names the message without quoting it.
func (o Original) words() string {
	var b strings.Builder
	b.WriteString("The message was:\n")
	dec := &mime.WordDecoder{}
	from := oneLine(o.From)
	if plain, err := dec.DecodeHeader(from); err == nil {
		from = oneLine(plain)
	}
	for _, f := range [][2]string{{"From:       ", from}, {"Date:       ", oneLine(o.Date)}, {"Message-ID: ", oneLine(o.MessageID)}, {"Accepted:   ", accepted(o.Arrival)}} {
		if f[1] != "" {
			b.WriteString("  " + f[0] + f[1] + "\n")
		}
	}
	return b.String() + "\n"
}

func accepted(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2 January 2006 15:04 MST")
}

// sentence begins with a capital, unless it begins with a name such as a host's, and ends
// with a full stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// wrap folds a text at spaces: the first line is indented by first, the others by rest. What
// is longer than a line and has no space stays whole.
func wrap(text, first, rest string) string {
	var b strings.Builder
	indent, used := first, 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
			b.WriteString(indent + word)
			used = len(indent) + n
		case used+1+n > width:
			b.WriteString("\n" + rest + word)
			used = len(rest) + n
		default:
			b.WriteString(" " + word)
			used += 1 + n
		}
	}
	return b.String() + "\n"
}
