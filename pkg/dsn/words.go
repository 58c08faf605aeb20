package dsn

import (
	"bytes"
	"fmt"
	"mime"
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// words is the first part: what happened, to whom, and what to do, for people. What only an
// administrator of mail understands comes after that, under a heading of its own.
func (n Notification) words() []byte {
	var b bytes.Buffer
	b.WriteString(wrap(n.opening(), "", "") + "\n")
	for _, s := range n.stories() {
		b.WriteString(strings.Join(s.addresses, "\n") + "\n\n" + s.text + "\n")
	}
	b.WriteString(n.Original.words())
	b.WriteString(wrap("Neither the subject nor the text of the message is repeated here, since they may be confidential.", "", ""))
	b.WriteString(wrap("This notice was written by the mail system of "+n.ReportingMTA+".", "", ""))
	return b.Bytes()
}

func (n Notification) opening() string {
	who := "the recipient named below"
	if len(n.Recipients) > 1 {
		who = fmt.Sprintf("the %d recipients named below", len(n.Recipients))
	}
	if n.Action == Delayed {
		text := "Your message has not been delivered to " + who + " yet. The mail system goes on trying"
		if !n.RetryUntil.IsZero() {
			text += " until " + moment(n.RetryUntil)
		}
		return text + ", so please do not send it again now."
	}
	return "Your message was not delivered to " + who + ", and it will not be tried again. " +
		"This says nothing about other recipients of it."
}

// story is what happened to one recipient, or to several in the same words.
type story struct {
	addresses []string
	text      string
}

// stories tells the recipients' stories, each once, in the order of the recipients.
func (n Notification) stories() []*story {
	var out []*story
	told := map[string]*story{}
	for _, r := range n.Recipients {
		text := r.words(n.Action)
		s := told[text]
		if s == nil {
			s = &story{text: text}
			told[text] = s
			out = append(out, s)
		}
		s.addresses = append(s.addresses, r.Address.String())
	}
	return out
}

// words tells one recipient's story.
func (r Recipient) words(a Action) string {
	const indent, hang = "  ", "    "
	var b strings.Builder
	line := func(text string) { b.WriteString(wrap(text, indent, indent)) }
	item := func(text string) { b.WriteString(wrap("- "+text, indent, hang)) }
	line(r.happened(a))
	if what := r.advice(); what != "" {
		b.WriteString("\n")
		line(what)
	}
	b.WriteString("\n")
	line("For the mail administrator:")
	item(r.verdict())
	for _, text := range r.details() {
		item(text)
	}
	if r.Outcome.Reason.Category() == policy.CategoryTLS {
		for _, why := range r.Because {
			if !strings.Contains(r.Outcome.Text, why) {
				item("Policy: " + sentence(shortened(why)))
			}
		}
	}
	return b.String()
}

// advice is what to do, "" where there is nothing to say.
func (r Recipient) advice() string {
	what := delivery.Advice(r.Outcome)
	switch {
	case r.contradictory():
		return "What to do: Show this notice to your mail administrator."
	case what == "" || strings.HasPrefix(what, "Nothing to do"):
		return what
	}
	return "What to do: " + what
}

// happened is the sentence that comes first.
func (r Recipient) happened(a Action) string {
	o := r.Outcome
	text, known := plainly[o.Reason]
	switch {
	case r.contradictory():
		text = "What is demanded of the TLS (encrypted) connection for your message contradicts itself, so that no server can meet it."
	case !known:
		text = sentence(shortened(o.Text))
	}
	if o.Reason.Category() != policy.CategoryTLS || len(r.Because) == 0 {
		return text
	}
	// What is not met is found out before anything of the message is sent.
	text += " Your message may only be sent over such a connection, so nothing of it "
	if a == Delayed {
		return text + "has been sent there yet."
	}
	return text + "was sent there."
}

// contradictory reports that no host was asked, since no host could meet the requirement.
func (r Recipient) contradictory() bool {
	for _, a := range r.Outcome.Attempts {
		if a.MX != "" || a.Stage != delivery.StagePolicy {
			return false
		}
	}
	return len(r.Outcome.Attempts) > 0 && r.Outcome.Reason.Category() == policy.CategoryTLS
}

// verdict is the outcome in the words of reports and tables.
func (r Recipient) verdict() string {
	o := r.Outcome
	text := string(o.Reason)
	if o.Code != 0 {
		text = strings.TrimSpace(fmt.Sprintf("%s (%d %s", text, o.Code, o.Enhanced)) + ")"
	}
	if o.Text == "" {
		return text
	}
	return text + ": " + sentence(shortened(o.Text))
}

// maxDetails is how many different things that hosts did are told of one recipient.
const maxDetails = 10

// details is what each host did and said, where the verdict does not tell that already.
func (r Recipient) details() []string {
	o := r.Outcome
	seen := map[string]bool{shortened(o.Text): true}
	told := shortened(o.Text)
	var all []string
	add := func(host, text string, reply mail.Reply) {
		var parts []string
		if text != "" && !seen[text] {
			seen[text] = true
			parts = append(parts, sentence(text))
		}
		said := shortened(reply.String())
		if key := host + said; refused(reply) && !seen[key] && !strings.Contains(text, said) {
			seen[key] = true
			parts = append(parts, "The server said: "+sentence(said))
		}
		if len(parts) > 0 {
			all = append(all, strings.Join(parts, " "))
			told += strings.Join(parts, " ")
		}
	}
	for _, a := range o.Attempts {
		add(a.MX+a.IP, shortened(delivery.Explain(a)), a.Reply)
	}
	if !strings.Contains(told, shortened(o.Reply.String())) {
		add("", "", o.Reply)
	}
	if more := len(all) - maxDetails; more > 0 {
		all = append(all[:maxDetails], fmt.Sprintf("And %d more of the kind.", more))
	}
	return all
}

// words names the message without quoting it.
func (o Original) words() string {
	var b strings.Builder
	from := clean(o.From)
	if plain, err := new(mime.WordDecoder).DecodeHeader(from); err == nil {
		from = clean(plain)
	}
	arrival := ""
	if !o.Arrival.IsZero() {
		arrival = moment(o.Arrival)
	}
	for _, f := range [][2]string{{"From", from}, {"Date", clean(o.Date)}, {"Message-ID", clean(o.MessageID)}, {"Accepted", arrival}} {
		if f[1] != "" {
			b.WriteString(wrap(shortened(f[1]), fmt.Sprintf("  %-12s", f[0]+":"), strings.Repeat(" ", 14)))
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "The message was:\n\n" + b.String() + "\n"
}

// moment is a time for people.
func moment(t time.Time) string { return t.Format("2 January 2006 15:04 MST") }
