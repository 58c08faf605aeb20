package spool

import (
	"context"
	"time"
)

// Backoff is a host, or any other key of the caller's, that is left alone for a while: it was
// down, or throttled.
type Backoff struct {
	Host     string
	Until    time.Time // zero: no longer
	Failures int       // in a row
	Reason   string
}

const (
	sqlBackoffs   = `SELECT host, until, failures, reason FROM backoff ORDER BY host`
	sqlBackoff    = `SELECT host, until, failures, reason FROM backoff WHERE host = $1`
	sqlSetBackoff = `INSERT INTO backoff (host, until, failures, reason) VALUES ($1, $2, $3, $4)
	ON CONFLICT (host) DO UPDATE SET until = excluded.until, failures = excluded.failures, reason = excluded.reason`
	sqlEndBackoff = `DELETE FROM backoff WHERE host = $1`
)

// HostBackoff tells until when a host is left alone; false where it is not. A time in the past
// counts, for its failures do.
func (s *Spool) HostBackoff(ctx context.Context, host string) (Backoff, bool, error) {
	all, err := s.backoffs(ctx, sqlBackoff, host)
	if err != nil || len(all) == 0 {
		return Backoff{}, false, err
	}
	return all[0], true, nil
}

// HostBackoffs gives all hosts that are left alone, or were, sorted.
func (s *Spool) HostBackoffs(ctx context.Context) ([]Backoff, error) {
	return s.backoffs(ctx, sqlBackoffs)
}

func (s *Spool) backoffs(ctx context.Context, sql string, values ...any) ([]Backoff, error) {
	var all []Backoff
	err := s.reading(ctx, func(c *conn) error {
		return c.query(sql, values, func(r *scan) error {
			all = append(all, Backoff{Host: r.text(), Until: r.moment(), Failures: int(r.int()), Reason: r.text()})
			return nil
		})
	})
	return all, err
}

// SetHostBackoff leaves a host alone until a time, for all processes; with a zero time it ends that.
func (s *Spool) SetHostBackoff(_ context.Context, b Backoff) error {
	return s.writer.do(nil, func(t *tx) error {
		if b.Until.IsZero() {
			_, err := t.exec(sqlEndBackoff, b.Host)
			return err
		}
		_, err := t.exec(sqlSetBackoff, b.Host, b.Until.UnixMilli(), int64(b.Failures), b.Reason)
		return err
	})
}
