package ui

import (
	"iter"

	"github.com/sendctl/sendctl/pkg/send"
)

// Rows is a listing that is read while it is written, so that it needs no memory however long
// it is. An error ends it.
type Rows = iter.Seq2[*send.Row, error]

// Queue writes the recipients in the spool (queue list): {"entries":[…]} in JSON, a recipient
// object a line in jsonl, the columns of send's CSV, else a table. It tells how many there were.
func (o *Output) Queue(rows Rows) (int, error) {
	return o.entries(rows, func(all []*send.Row) Table { return queueTable(all, o.now()) })
}

// History writes settled recipients, in the formats of Queue.
func (o *Output) History(rows Rows) (int, error) { return o.entries(rows, historyTable) }

// Entry writes recipients of queued messages with everything that is known of each: blocks in
// the table format, else as Queue does.
func (o *Output) Entry(rows []*send.Row) error {
	_, err := o.entries(given(rows), o.entryTable)
	return err
}

// given is a listing of rows that are at hand.
func given(rows []*send.Row) Rows {
	return func(yield func(*send.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// entries writes a listing. An error of the listing itself is given as it is.
func (o *Output) entries(rows Rows, table func([]*send.Row) Table) (int, error) {
	l := &listing{rows: rows}
	err := o.write(func(w page) error {
		switch o.format {
		case FormatJSON:
			return o.entriesJSON(w, l)
		case FormatJSONL:
			return l.each(func(r *send.Row) error { return jsonLine(w, recipientOf(r)) })
		case FormatCSV:
			c, err := newRecipientsCSV(w)
			if err == nil {
				err = l.each(c.add)
			}
			if err != nil {
				return err
			}
			return c.flush()
		}
		var all []*send.Row
		if err := l.each(func(r *send.Row) error { all = append(all, r); return nil }); err != nil {
			return err
		}
		return o.tables(w, []Table{table(all)})
	})
	if l.err != nil {
		err = l.err
	}
	return l.n, err
}

// listing counts what it gives, and keeps the error that ended it.
type listing struct {
	rows Rows
	n    int
	err  error
}

func (l *listing) each(do func(*send.Row) error) error {
	for r, err := range l.rows {
		if err != nil {
			l.err = err
			return err
		}
		l.n++
		if err := do(r); err != nil {
			return err
		}
	}
	return nil
}

func (o *Output) entriesJSON(w page, l *listing) error {
	entries := func(b page) error {
		b.text("{")
		a := beginArray(b, "entries")
		if err := l.each(func(r *send.Row) error { return a.add(recipientOf(r)) }); err != nil {
			return err
		}
		a.end()
		b.line("}")
		return nil
	}
	if o.out.Terminal {
		return o.indentedBy(w, entries)
	}
	return entries(w)
}
