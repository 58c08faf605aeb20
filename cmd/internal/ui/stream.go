package ui

import (
	"github.com/sendctl/sendctl/pkg/send"
)

// sample is how many rows of a large run are gathered before the first is written to a pipe,
// to see how wide the columns have to be.
const sample = 1000

// stream is what was shown of a large run while it went on: rows that its report does not list.
type stream struct {
	all       bool // a row each on a terminal too
	delivered *fold
	waiting   *waitingFold
	gathered  []*send.Row // for a table in a pipe, not written yet
	kind      kind        // of the rows that are being written
	columns   *aligned    // of the table that is being written; nil before it is begun
	array     *jsonArray  // likewise in JSON
	csv       *recipientsCSV
}

// All has Recipient and Report show a row for every recipient on a terminal too. It has to be
// said before the first Recipient.
func (o *Output) All(all bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stream.all = all
}

// Recipient takes one recipient the moment that it settles or its attempt ends: a line in
// jsonl. In the other formats Report writes it, unless the report does not list it.
func (o *Output) Recipient(r *send.Row) error {
	switch {
	case o.format == FormatJSONL:
		line, err := encode(recipientOf(r))
		if err != nil {
			return err
		}
		return o.write(func(w page) error {
			w.raw(line)
			w.end()
			return nil
		})
	case !r.Unlisted:
		return nil
	}
	s := &o.stream
	switch o.format {
	case FormatJSON:
		if o.out.Terminal {
			return o.hold(r)
		}
		return o.write(func(w page) error { return s.json(w, r) })
	case FormatCSV:
		return o.write(func(w page) error { return s.addCSV(w, r) })
	}
	switch {
	case o.quiet:
		return nil
	case o.out.Terminal && !s.all:
		o.fold(r)
		return nil
	case o.out.Terminal:
		return o.hold(r)
	}
	return o.write(func(w page) error { return o.pipe(w, r) })
}

// hold keeps a row for the report: whoever wants thousands of them on a terminal has them in memory.
func (o *Output) hold(r *send.Row) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stream.gathered = append(o.stream.gathered, r)
	return nil
}

// fold counts a row for the table by domain.
func (o *Output) fold(r *send.Row) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := &o.stream
	if kindOf(r) == kindDelivered {
		if s.delivered == nil {
			s.delivered = newFold()
		}
		s.delivered.add(r)
		return
	}
	if s.waiting == nil {
		s.waiting = newWaitingFold()
	}
	s.waiting.add(r)
}

func (s *stream) json(w page, r *send.Row) error {
	if s.array == nil {
		w.text("{")
		s.array = beginArray(w, "recipients")
	}
	return s.array.add(recipientOf(r))
}

func (s *stream) addCSV(w page, r *send.Row) error {
	if s.csv == nil {
		c, err := newRecipientsCSV(w)
		if err != nil {
			return err
		}
		s.csv = &c
	}
	if err := s.csv.add(r); err != nil {
		return err
	}
	return s.csv.flush()
}

// pipe writes a row of a table to a pipe, once there was a sample of them. Of the two kinds of
// rows that there can be the first to be so many is written; the others wait for the report.
func (o *Output) pipe(w page, r *send.Row) error {
	s := &o.stream
	if s.columns != nil && kindOf(r) == s.kind {
		t := o.rowTable(s.kind, []*send.Row{r})
		s.columns.row(w, &t, t.rows[0])
		return nil
	}
	s.gathered = append(s.gathered, r)
	if s.columns != nil || len(s.gathered) < sample {
		return nil
	}
	s.kind = kindOf(r)
	first := s.take(s.kind)
	t := o.rowTable(s.kind, first)
	w.line(t.Title)
	s.columns = newAligned(&t)
	s.columns.table(w, &t)
	return nil
}

// take gives the gathered rows of a kind.
func (s *stream) take(k kind) []*send.Row {
	var these, others []*send.Row
	for _, r := range s.gathered {
		if kindOf(r) == k {
			these = append(these, r)
		} else {
			others = append(others, r)
		}
	}
	s.gathered = others
	return these
}

// rowTable is a table with a row for each recipient.
func (o *Output) rowTable(k kind, rows []*send.Row) Table {
	if k == kindDelivered {
		return o.deliveredRows(rows)
	}
	return waitingRows(rows)
}
