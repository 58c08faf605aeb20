package spool

import (
	"context"
	"errors"
)

const sqlDecisions = `SELECT decision, sum(n) FROM (SELECT decision, count(*) AS n FROM record c JOIN message m ON m.id = c.message WHERE NOT m.notification GROUP BY decision
	UNION ALL SELECT decision, count(*) AS n FROM recipient GROUP BY decision) AS d GROUP BY decision`

// RuleHits counts, for each rule, the recipients that it matched: those that wait and those in
// the record.
func (s *Spool) RuleHits(ctx context.Context) (map[string]int, error) {
	hits := map[string]int{}
	err := s.reading(ctx, func(c *conn) error {
		counts := map[int64]int{}
		err := c.query(sqlDecisions, nil, func(r *scan) error {
			id := r.int()
			counts[id] = int(r.int())
			return nil
		})
		if err != nil {
			return err
		}
		for id, n := range counts {
			d, err := s.read.decision(c, id)
			var bad *damaged
			if errors.As(err, &bad) {
				continue // what cannot be read any more is not counted
			}
			if err != nil {
				return err
			}
			for _, rule := range d.Rules {
				hits[rule] += n
			}
		}
		return nil
	})
	return hits, err
}
