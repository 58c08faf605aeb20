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

// All has Recipients and Report show a row for every recipient on a terminal too. It has to be
// said before the first Recipients.
func (o *Output) All(all bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stream.all = all
}

// Recipients takes recipients the moment that they settle or their attempts end: a line each in
// jsonl. In the other formats Report writes them, unless the report does not list them.
func (o *Output) Recipients(rows ...*send.Row) error {
	s := &o.stream
	if o.format == FormatJSONL {
		return o.write(func(w page) error { return jsonLines(w, rows) })
	}
	rows = unlisted(rows)
	switch {
	case len(rows) == 0, o.format == FormatTable && o.quiet:
		return nil
	case o.format == FormatCSV:
		return o.write(func(w page) error { return s.addCSV(w, rows) })
	case o.format == FormatTable && o.out.Terminal && !s.all:
		o.fold(rows)
		return nil
	case o.out.Terminal:
		o.hold(rows)
		return nil
	case o.format == FormatJSON:
		return o.write(func(w page) error { return s.json(w, rows) })
	}
	return o.write(func(w page) error {
		o.pipe(w, rows)
		return nil
	})
}

// unlisted are those rows that the report does not list.
func unlisted(rows []*send.Row) []*send.Row {
	var these []*send.Row
	for _, r := range rows {
		if r.Unlisted {
			these = append(these, r)
		}
	}
	return these
}

func jsonLines(w page, rows []*send.Row) error {
	e := newEncoder()
	for _, r := range rows {
		line, err := e.line(recipientOf(r))
		if err != nil {
			return err
		}
		w.raw(line)
		w.end()
	}
	return nil
}

// hold keeps rows for the report: whoever wants thousands of them on a terminal has them in memory.
func (o *Output) hold(rows []*send.Row) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stream.gathered = append(o.stream.gathered, rows...)
}

// fold counts rows for the table by domain.
func (o *Output) fold(rows []*send.Row) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := &o.stream
	for _, r := range rows {
		if kindOf(r) == kindDelivered {
			if s.delivered == nil {
				s.delivered = newFold()
			}
			s.delivered.add(r)
			continue
		}
		if s.waiting == nil {
			s.waiting = newWaitingFold()
		}
		s.waiting.add(r)
	}
}

func (s *stream) json(w page, rows []*send.Row) error {
	if s.array == nil {
		w.text("{")
		s.array = beginArray(w, "recipients")
	}
	for _, r := range rows {
		if err := s.array.add(recipientOf(r)); err != nil {
			return err
		}
	}
	return nil
}

func (s *stream) addCSV(w page, rows []*send.Row) error {
	if s.csv == nil {
		c, err := newRecipientsCSV(w)
		if err != nil {
			return err
		}
		s.csv = &c
	}
	for _, r := range rows {
		if err := s.csv.add(r); err != nil {
			return err
		}
	}
	return s.csv.flush()
}

// pipe writes rows of a table to a pipe, once there was a sample of them. Of the two kinds of
// rows that there can be the first to be so many is written; the others wait for the report.
func (o *Output) pipe(w page, rows []*send.Row) {
	s := &o.stream
	if s.columns == nil {
		n := min(len(rows), sample-len(s.gathered))
		s.gathered = append(s.gathered, rows[:n]...)
		if len(s.gathered) < sample {
			return
		}
		rows = rows[n:]
		s.kind = kindOf(s.gathered[sample-1])
		t := o.rowTable(s.kind, s.take(s.kind))
		w.line(t.Title)
		s.columns = newAligned(&t)
		s.columns.table(w, &t)
	}
	t := o.rowTable(s.kind, rowsOf(rows, s.kind))
	s.columns.rows(w, &t)
	for _, r := range rows {
		if kindOf(r) != s.kind {
			s.gathered = append(s.gathered, r)
		}
	}
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
