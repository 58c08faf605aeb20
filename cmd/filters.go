package cmd

import (
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/spool"
)

// filterFlags pick recipients of the spool.
type filterFlags struct {
	status, profile, recipient, domain, sender, reason string
	olderThan                                          time.Duration
}

func (f *filterFlags) register(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.status, "status", "", "only recipients with this `status`, or several, separated by commas")
	fl.StringVar(&f.profile, "profile", "", "only what was accepted under this profile `NAME`")
	fl.StringVar(&f.recipient, "recipient", "", "only this recipient `ADDR`")
	fl.StringVar(&f.domain, "domain", "", "only recipients of this `DOMAIN`")
	fl.StringVar(&f.sender, "sender", "", "only this reverse-path `ADDR`, or all of a domain")
	fl.StringVar(&f.reason, "reason", "", "only recipients with this `reason`, such as greylisted")
	fl.DurationVar(&f.olderThan, "older-than", 0, "only what was accepted longer ago than this, such as 4h")
}

// filter reads the flags, and queue IDs where these are given.
func (f *filterFlags) filter(ids []string) (spool.Filter, error) {
	out := spool.Filter{IDs: ids, Profile: f.profile, Reason: f.reason}
	if f.reason != "" && policy.Reason(f.reason).Category() == "" {
		return out, usagef("the reasons are listed in the documentation, such as starttls-not-supported", "--reason: there is no reason %q", f.reason)
	}
	for s := range strings.SplitSeq(f.status, ",") {
		if s == "" {
			continue
		}
		if !knownStatus(delivery.Status(s)) {
			return out, usagef("", "--status: there is no status %q", s)
		}
		out.Statuses = append(out.Statuses, delivery.Status(s))
	}
	if f.recipient != "" && f.domain != "" {
		return out, usagef("", "--recipient and --domain exclude each other")
	}
	var err error
	if f.recipient != "" {
		if out.Recipient, err = mail.ParseAddress(f.recipient); err != nil {
			return out, usagef("", "--recipient: %w", err)
		}
	}
	if f.domain != "" {
		if out.Recipient.Domain, err = mail.CanonicalDomain(f.domain); err != nil {
			return out, usagef("", "--domain: %w", err)
		}
	}
	if f.sender != "" {
		if out.Sender, err = addressOrDomain(f.sender); err != nil {
			return out, usagef("", "--sender: %w", err)
		}
	}
	if f.olderThan > 0 {
		out.QueuedBefore = time.Now().Add(-f.olderThan)
	}
	return out, nil
}

// chosen reports whether anything was picked at all.
func (f *filterFlags) chosen() bool { return *f != filterFlags{} }

// addressOrDomain reads an address, or a domain as all its addresses.
func addressOrDomain(s string) (mail.Address, error) {
	if strings.Contains(s, "@") {
		return mail.ParseAddress(s)
	}
	domain, err := mail.CanonicalDomain(s)
	return mail.Address{Domain: domain}, err
}

func knownStatus(s delivery.Status) bool {
	switch s {
	case delivery.Queued, delivery.Delivered, delivery.Deferred, delivery.Bounced, delivery.InDoubt, delivery.Held, delivery.Cancelled:
		return true
	}
	return false
}

// listed shows a listing of the spool as rows, and tells how many there were.
func listed(show func(ui.Rows) (int, error), listing iter.Seq2[spool.Row, error]) (int, error) {
	n, err := show(func(yield func(*send.Row, error) bool) {
		for r, err := range listing {
			if err != nil {
				yield(nil, stateFault(err))
				return
			}
			if !yield(send.RowOf(&r), nil) {
				return
			}
		}
	})
	var known *exitError
	if err != nil && !errors.As(err, &known) {
		err = fail(exitState, err, "")
	}
	return n, err
}
