package spool

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
)

// pageSize is how many rows are read at once: short reads do not keep the log from being
// taken over, and a listing of any length needs the memory of one page.
const pageSize = 1000

const sqlQueue = `SELECT ` + listColumns + `, ` + queueColumns + ` FROM recipient r JOIN message m ON m.id = r.message
	WHERE r.id > `

// List gives the queued recipients that a filter picks, in the order in which they were
// accepted. An entry that cannot be read comes with its Fault; an error ends the listing.
// What changes while it goes on may be in it or not. The messages are as far known as it takes
// to show them: without From, Date, source and envelope ID, and Body does not take them.
func (s *Spool) List(ctx context.Context, f Filter) iter.Seq2[Row, error] {
	return s.pages(ctx, func(after int64) where {
		w := where{sql: sqlQueue}
		w.sql += w.arg(after)
		w.filter(f)
		w.sql += " ORDER BY r.id LIMIT " + w.arg(int64(pageSize))
		return w
	}, func(r *scan, raw *rawRow) int64 {
		scanListed(r, &raw.Message)
		scanQueued(r, raw)
		return raw.Recipient.ID
	})
}

// pages reads a listing page by page: query gives the statement for the page after a row,
// read takes a row and gives its number.
func (s *Spool) pages(ctx context.Context, query func(after int64) where, read func(*scan, *rawRow) int64) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		after := int64(0)
		raws := make([]rawRow, 0, pageSize)
		for {
			raws = raws[:0]
			err := s.reading(ctx, func(c *conn) error {
				w := query(after)
				err := c.queryOnce(w.sql, w.args, func(r *scan) error {
					raws = append(raws, rawRow{})
					after = read(r, &raws[len(raws)-1])
					return nil
				})
				if err != nil {
					return err
				}
				return s.complete(c, raws)
			})
			if err != nil {
				yield(Row{}, err)
				return
			}
			for i := range raws {
				if !yield(raws[i].Row, nil) {
					return
				}
			}
			if len(raws) < pageSize {
				return
			}
		}
	}
}

// Counts is what is in the queue.
type Counts struct {
	Messages   int
	Octets     int64 // of bodies
	Recipients int
	ByStatus   map[delivery.Status]int
	Due        int // recipients that could be claimed now
	Claimed    int // recipients that a process has in its hands
}

const (
	sqlCountRecipients = `SELECT status, count(*), sum(CASE WHEN owner = 0 AND next_at <= $1 THEN 1 ELSE 0 END),
	sum(CASE WHEN owner <> 0 THEN 1 ELSE 0 END) FROM recipient GROUP BY status`
	sqlCountMessages = `SELECT count(*), coalesce(sum(m.length), 0) FROM ` + bodies + ` WHERE ` + ofBody
	sqlProfiles      = `SELECT DISTINCT profile FROM recipient ORDER BY profile`
	sqlPostpone      = `UPDATE recipient SET next_at = $2 WHERE owner = 0 AND next_at < $2
	AND domain IN (SELECT value FROM json_each($1))`
)

// Counts counts the queue.
func (s *Spool) Counts(ctx context.Context) (Counts, error) {
	n := Counts{ByStatus: map[delivery.Status]int{}}
	err := s.reading(ctx, func(c *conn) error {
		err := c.query(sqlCountRecipients, []any{s.now().UnixMilli()}, func(r *scan) error {
			status, count := delivery.Status(r.text()), int(r.int())
			n.ByStatus[status] = count
			n.Recipients += count
			n.Due += int(r.int())
			n.Claimed += int(r.int())
			return nil
		})
		if err != nil {
			return err
		}
		return c.query(sqlCountMessages, nil, func(r *scan) error {
			n.Messages, n.Octets = int(r.int()), r.int()
			return nil
		})
	})
	return n, err
}

// ProfilesInUse names the profiles that queued recipients were accepted with, sorted; the null
// profile as it is called.
func (s *Spool) ProfilesInUse(ctx context.Context) ([]string, error) {
	var names []string
	err := s.reading(ctx, func(c *conn) error {
		return c.query(sqlProfiles, nil, func(r *scan) error { names = append(names, r.text()); return nil })
	})
	return names, err
}

// Postpone puts off all unclaimed recipients of some domains that would be due before until,
// and tells how many: a host that is down backs off as a host. No attempt is counted.
func (s *Spool) Postpone(ctx context.Context, until time.Time, domains ...string) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	list, err := json.Marshal(domains)
	if err != nil {
		return 0, err
	}
	var n int64
	err = s.writer.do(nil, func(t *tx) (err error) {
		n, err = t.exec(sqlPostpone, string(list), until.UnixMilli())
		return err
	})
	return int(n), err
}
