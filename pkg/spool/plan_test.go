//go:build unix

package spool

import (
	"regexp"
	"slices"
	"testing"
)

// What runs for every message, or every few, finds its rows by their keys and looks at the smaller
// table first: how long it takes must not grow with what was ever sent.
func TestPlans(t *testing.T) {
	t.Parallel()
	s := openTest(t, stateDir(t), Options{})
	table := regexp.MustCompile(`^(SEARCH|SCAN) \w+( EXISTS)?( USING COVERING INDEX record_bounce)?`)
	for sql, want := range map[string][]string{
		sqlKnown:          {"SEARCH k", "SEARCH r"},
		sqlQueuedRow:      {"SEARCH r", "SEARCH m"},
		sqlRecordRow:      {"SEARCH c", "SEARCH m"},
		sqlRecord:         {"SEARCH r", "SEARCH m"},
		sqlPutOff:         {"SEARCH recipient"},
		sqlDropRecipients: {"SEARCH recipient"},
		sqlDropKnown:      {"SEARCH known", "SEARCH recipient"},
		sqlComplete:       {"SEARCH b", "SEARCH m", "SEARCH r"},
		sqlAnyBounce:      {"SCAN CONSTANT", "SCAN record USING COVERING INDEX record_bounce"}, // those alone that wait
		sqlKeepAuthors:    {"SEARCH b", "SEARCH c EXISTS USING COVERING INDEX record_bounce"},
		sqlForgetBodies:   {"SEARCH body"},
		sqlEmptySegment:   {"SEARCH g", "SEARCH b", "SEARCH m"},
		sqlTold:           {"SEARCH author", "SEARCH record USING COVERING INDEX record_bounce"},
		sqlTakenFrom:      {"SEARCH owner"},
		sqlIsClaim:        {"SEARCH recipient"},
		sqlSetSending:     {"SEARCH owner"},
		sqlRelease:        {"SEARCH recipient"},
		sqlClaim:          {"SEARCH recipient"},
		sqlClaimedOf:      {"SEARCH m", "SEARCH r"},
		sqlToWipe:         {"SCAN b", "SEARCH m", "SEARCH r"},
		sqlLiveIn:         {"SEARCH g", "SEARCH b", "SEARCH m"},
		sqlCountMessages:  {"SCAN b", "SEARCH m"},
	} {
		var got []string
		err := s.reading(t.Context(), func(c *conn) error {
			return c.queryOnce("EXPLAIN QUERY PLAN "+sql, make([]any, 32), func(r *scan) error {
				r.at = 3
				if m := table.FindString(r.text()); m != "" {
					got = append(got, m)
				}
				return nil
			})
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s\nlooks at %q (%v), want %q", sql, got, err, want)
		}
	}
}
