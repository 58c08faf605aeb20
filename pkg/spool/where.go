package spool

import (
	"errors"
	"strconv"
	"strings"

	"github.com/sendctl/sendctl/pkg/mail"
)

// where puts a statement with conditions together.
type where struct {
	sql  string
	args []any
	// Recipients are r where they are queued, and c in the record; messages are m.
	record bool
}

// arg adds a value and gives its placeholder.
func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return "$" + strconv.Itoa(len(w.args))
}

func (w *where) and(condition string, v any) { w.sql += " AND " + condition + w.arg(v) }

func (w *where) in(column string, values []string) {
	if len(values) == 0 {
		return
	}
	marks := make([]string, len(values))
	for i, v := range values {
		marks[i] = w.arg(v)
	}
	w.sql += " AND " + column + " IN (" + strings.Join(marks, ", ") + ")"
}

func (w *where) text(column, v string) {
	if v != "" {
		w.and(column+" = ", v)
	}
}

func (w *where) address(local, domain string, a mail.Address) {
	w.text(domain, a.Domain)
	w.text(local, a.Local)
}

// filter adds the conditions of a filter.
func (w *where) filter(f Filter) {
	r := "r."
	if w.record {
		r = "c."
	}
	w.in("m.queue_id", f.IDs)
	statuses := make([]string, len(f.Statuses))
	for i, s := range f.Statuses {
		statuses[i] = string(s)
	}
	w.in(r+"status", statuses)
	w.text(r+"profile", f.Profile)
	w.text(r+"reason", f.Reason)
	w.address(r+"local", r+"domain", f.Recipient)
	w.address("m.sender_local", "m.sender_domain", f.Sender)
	if !f.QueuedBefore.IsZero() {
		w.and("m.queued_at < ", f.QueuedBefore.UnixMilli())
	}
}

func lostClaims(err error) bool {
	var lost *ClaimLostError
	return errors.As(err, &lost)
}
