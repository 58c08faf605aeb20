package ui

import (
	"cmp"
	"fmt"
	"maps"
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

// fold is deliveries folded to a line per domain.
type fold struct {
	byDomain map[string]*tally
	n        int
}

func newFold() *fold { return &fold{byDomain: map[string]*tally{}} }

func (f *fold) add(r *send.Row) {
	d := f.byDomain[r.Recipient.Domain]
	if d == nil {
		d = &tally{domain: r.Recipient.Domain, versions: make(map[tlsnames.Version]int)}
		f.byDomain[r.Recipient.Domain] = d
	}
	d.add(r)
	f.n++
}

// table has the domains with cleartext first, then those with the most recipients.
func (f *fold) table() Table {
	list := slices.SortedFunc(maps.Values(f.byDomain), func(a, b *tally) int {
		return cmp.Or(-cmp.Compare(min(a.cleartext, 1), min(b.cleartext, 1)), -cmp.Compare(a.delivered, b.delivered), cmp.Compare(a.domain, b.domain))
	})
	t := Table{Title: fmt.Sprintf("Delivered: %d recipients by domain (--all shows each)", f.n), Columns: []Column{
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

// waitingFold is what was not sent folded to a line per domain and status.
type waitingFold struct {
	count map[waitingKey]int
	n     int
}

type waitingKey struct{ domain, status string }

func newWaitingFold() *waitingFold { return &waitingFold{count: map[waitingKey]int{}} }

func (f *waitingFold) add(r *send.Row) {
	f.count[waitingKey{r.Recipient.Domain, waitingStatus(r)}]++
	f.n++
}

func (f *waitingFold) table() Table {
	order := slices.SortedFunc(maps.Keys(f.count), func(a, b waitingKey) int {
		return cmp.Or(-cmp.Compare(f.count[a], f.count[b]), cmp.Compare(a.domain, b.domain), cmp.Compare(a.status, b.status))
	})
	t := Table{Title: fmt.Sprintf("Not sent now: %d recipients by domain (--all shows each)", f.n), Columns: []Column{
		{Title: "Domain"}, {Title: "Status", Tone: statusTone}, {Title: "Recipients", Right: true},
	}}
	for _, k := range order {
		t.Add(k.domain, k.status, strconv.Itoa(f.count[k]))
	}
	return t
}
