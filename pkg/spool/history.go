package spool

import (
	"context"
	"iter"
	"time"
)

// HistoryFilter picks rows of the record; its fields must all fit, and zero fields fit anything.
type HistoryFilter struct {
	Filter
	CleartextOnly bool // delivered, and not over TLS
	Since, Until  time.Time
	After         int64 // rows after this one, by Row.Record
	Newest        bool  // the newest first
	Limit         int   // rows; 0: all
}

const (
	sqlHistory = `SELECT ` + recordColumns + ` FROM record c JOIN message m ON m.id = c.message WHERE c.id > `
	sqlSince   = `SELECT coalesce(min(id), 9223372036854775807) FROM record WHERE settled_at >= $1`
)

// History gives the rows of the record that a filter picks, in the order in which recipients
// were settled. Row.Record ascends with it, so that After the last one seen come the new ones.
func (s *Spool) History(ctx context.Context, f HistoryFilter) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if err := s.narrow(ctx, &f); err != nil {
			yield(Row{}, err)
			return
		}
		n := 0
		rows := s.pages(ctx, f.page,
			func(r *scan, raw *rawRow) int64 { scanRecord(r, raw); return raw.Record })
		for row, err := range rows {
			if n++; !yield(row, err) || n == f.Limit {
				return
			}
		}
	}
}

// narrow finds the first row since a time by its index, so that older ones need not be read.
// With a clock that was set back there are older ones behind it too: the filter's own
// condition on the time stays.
func (s *Spool) narrow(ctx context.Context, f *HistoryFilter) error {
	if f.Since.IsZero() {
		return nil
	}
	return s.reading(ctx, func(c *conn) error {
		return c.query(sqlSince, []any{f.Since.UnixMilli()}, func(r *scan) error {
			f.After = max(f.After, r.int()-1)
			return nil
		})
	})
}

// page is the statement for the page that follows a row; after 0 is the first page.
func (f *HistoryFilter) page(after int64) where {
	w := where{sql: sqlHistory, record: true}
	if f.Newest {
		w.sql += w.arg(f.After)
		if after > 0 {
			w.and("c.id < ", after)
		}
	} else {
		w.sql += w.arg(max(after, f.After))
	}
	w.filter(f.Filter)
	if f.CleartextOnly {
		w.sql += " AND c.cleartext"
	}
	if !f.Since.IsZero() {
		w.and("c.settled_at >= ", f.Since.UnixMilli())
	}
	if !f.Until.IsZero() {
		w.and("c.settled_at < ", f.Until.UnixMilli())
	}
	w.sql += " ORDER BY c.id"
	if f.Newest {
		w.sql += " DESC"
	}
	w.sql += " LIMIT " + w.arg(int64(pageSize))
	return w
}
