package ui

import (
	"strconv"

	"github.com/sendctl/sendctl/pkg/send"
)

// summary is the line of counts: the five that are always there, the others where they are
// not zero. It wraps between counts; 0 columns are no limit.
func summary(s *send.Summary, p painter, limit int) string {
	type count struct {
		n    int
		what string
		end  string // what stands behind it
		tone Tone
	}
	list := []count{{s.Delivered, "delivered", ", ", Good}, {s.Encrypted, "encrypted", ", ", Plain}}
	if s.Encrypted > 0 {
		list[1].end = " ("
		list = append(list, count{s.Verified, "verified", ", ", Plain}, count{s.Unverified, "unverified", "), ", Plain})
	}
	if s.Cleartext > 0 {
		list = append(list, count{s.Cleartext, cleartext, ", ", Alarm})
	} else {
		list = append(list, count{0, "cleartext", ", ", Plain})
	}
	list = append(list, count{s.Deferred, "deferred", ", ", Notice}, count{s.Bounced, "bounced", ", ", Bad})
	for _, c := range []count{
		{s.InDoubt, "in doubt", ", ", Notice}, {s.Held, "held", ", ", Notice}, {s.Queued, "queued", ", ", Plain}, {s.Cancelled, "cancelled", ", ", Plain},
		{s.Skipped, "skipped", ", ", Plain}, {s.Refused, plural(s.Refused, "file") + " refused", ", ", Bad},
	} {
		if c.n > 0 {
			list = append(list, c)
		}
	}
	list[len(list)-1].end = ""

	var phrases []phrase
	for _, lead := range []string{counted(s.Messages, plural(s.Messages, "message")) + ",", counted(s.Recipients, plural(s.Recipients, "recipient")) + ":"} {
		phrases = append(phrases, phrase{lead + " ", p.as(Strong, lead) + " "})
	}
	for _, c := range list {
		text := counted(c.n, c.what)
		phrases = append(phrases, phrase{text + c.end, p.as(toneIf(c.n, c.tone), text) + c.end})
	}
	return flow(phrases, limit)
}

func counted(n int, what string) string { return strconv.Itoa(n) + " " + what }

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func toneIf(n int, t Tone) Tone {
	if n == 0 {
		return Plain
	}
	return t
}
