package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// tally is what was delivered to one domain.
type tally struct {
	domain                                    string
	delivered, encrypted, verified, cleartext int
	versions                                  map[tlsnames.Version]int
}

// deliveredByDomain folds deliveries to a line per domain: those with cleartext first, then
// the most recipients.
func deliveredByDomain(rows []*send.Row) Table {
	byDomain := make(map[string]*tally)
	var list []*tally
	for _, r := range rows {
		d := byDomain[r.Recipient.Domain]
		if d == nil {
			d = &tally{domain: r.Recipient.Domain, versions: make(map[tlsnames.Version]int)}
			byDomain[r.Recipient.Domain] = d
			list = append(list, d)
		}
		d.add(r)
	}
	slices.SortFunc(list, func(a, b *tally) int {
		return cmp.Or(-cmp.Compare(min(a.cleartext, 1), min(b.cleartext, 1)), -cmp.Compare(a.delivered, b.delivered), cmp.Compare(a.domain, b.domain))
	})
	t := Table{Title: fmt.Sprintf("Delivered: %d recipients by domain (--all shows each)", len(rows)), Columns: []Column{
		{Title: "Domain"},
		{Title: "Delivered", Right: true},
		{Title: "Encrypted", Right: true},
		{Title: "Verified", Right: true},
		{Title: "Cleartext", Right: true, Tone: countTone},
		{Title: "TLS versions", Wrap: true, Fold: 1},
	}}
	for _, d := range list {
		t.Add(d.domain, strconv.Itoa(d.delivered), strconv.Itoa(d.encrypted), strconv.Itoa(d.verified), strconv.Itoa(d.cleartext), d.tls())
	}
	return t
}

func (d *tally) add(r *send.Row) {
	d.delivered++
	if !r.Encrypted() {
		d.cleartext++
		return
	}
	d.encrypted++
	d.versions[r.Outcome.Session.Protection.Version]++
	if verifiedOf(r.Outcome.Session) != string(policy.VerifiedNone) {
		d.verified++
	}
}

// tls is how often each version was used, the newest first.
func (d *tally) tls() string {
	var parts []string
	for _, v := range slices.Backward(tlsnames.Versions()) {
		if n := d.versions[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", v, n))
		}
	}
	return strings.Join(parts, ", ")
}

func countTone(cell string) Tone {
	if cell == "0" {
		return Plain
	}
	return Alarm
}

// waitingByDomain folds what was not sent to a line per domain and status.
func waitingByDomain(rows []*send.Row) Table {
	type key struct{ domain, status string }
	count := make(map[key]int)
	var order []key
	for _, r := range rows {
		k := key{r.Recipient.Domain, waitingStatus(r)}
		if count[k] == 0 {
			order = append(order, k)
		}
		count[k]++
	}
	slices.SortFunc(order, func(a, b key) int {
		return cmp.Or(-cmp.Compare(count[a], count[b]), cmp.Compare(a.domain, b.domain), cmp.Compare(a.status, b.status))
	})
	t := Table{Title: fmt.Sprintf("Not sent now: %d recipients by domain (--all shows each)", len(rows)), Columns: []Column{
		{Title: "Domain"}, {Title: "Status", Tone: statusTone}, {Title: "Recipients", Right: true},
	}}
	for _, k := range order {
		t.Add(k.domain, k.status, strconv.Itoa(count[k]))
	}
	return t
}
