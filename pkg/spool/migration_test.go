//go:build unix

package spool

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
)

// downgrades take a database back by a version, with what it holds.
var downgrades = []string{
	1: `CREATE TABLE backoff (host TEXT PRIMARY KEY, until BIGINT NOT NULL, failures BIGINT NOT NULL, reason TEXT NOT NULL);
INSERT INTO backoff VALUES ('mx1.b.test', 1, 1, '');
ALTER TABLE message ADD COLUMN wipe BOOLEAN NOT NULL DEFAULT FALSE;
PRAGMA user_version = 1`,
	2: `ALTER TABLE record ADD COLUMN key BLOB NOT NULL DEFAULT x'00';
UPDATE record SET key = coalesce((SELECT key FROM known k WHERE k.recipient = record.recipient), x'00');
ALTER TABLE message DROP COLUMN first_recipient;
ALTER TABLE message DROP COLUMN last_recipient;
CREATE INDEX recipient_message ON recipient (message);
DROP INDEX record_recipient;
ALTER TABLE record DROP COLUMN recipient;
DROP TABLE known;
CREATE INDEX recipient_key ON recipient (key);
CREATE INDEX record_key ON record (key);
PRAGMA user_version = 2`,
	3: `ALTER TABLE owner DROP COLUMN taken;
ALTER TABLE recipient ADD COLUMN sending BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE recipient SET sending = TRUE WHERE owner IN (SELECT id FROM owner WHERE sending <> '[]');
ALTER TABLE owner DROP COLUMN sending;
DROP INDEX message_queue_id;
ALTER TABLE message RENAME TO message_4;
CREATE TABLE message (id INTEGER PRIMARY KEY, queue_id TEXT NOT NULL, batch TEXT NOT NULL, file TEXT NOT NULL, source BLOB NOT NULL,
	sender_local TEXT NOT NULL, sender_domain TEXT NOT NULL, message_id TEXT NOT NULL, header_from TEXT NOT NULL, header_date TEXT NOT NULL,
	eight_bit BOOLEAN NOT NULL, utf8 BOOLEAN NOT NULL, envelope_id TEXT NOT NULL, queued_at BIGINT NOT NULL, notification BOOLEAN NOT NULL,
	noticed BOOLEAN NOT NULL DEFAULT FALSE, segment BIGINT, start BIGINT NOT NULL, length BIGINT NOT NULL, sum BLOB NOT NULL,
	first_recipient BIGINT NOT NULL DEFAULT 0, last_recipient BIGINT NOT NULL DEFAULT 0);
CREATE INDEX message_queue_id ON message (queue_id);
CREATE INDEX message_segment ON message (segment) WHERE segment IS NOT NULL;
INSERT INTO message SELECT m.id, queue_id, batch, file, source, sender_local, sender_domain, message_id, coalesce(b.header_from, a.header_from),
	coalesce(b.header_date, a.header_date), eight_bit, utf8, envelope_id, queued_at, notification, noticed,
	CASE WHEN b.message IS NULL THEN NULL ELSE m.segment END, m.start, length, sum,
	first_recipient, last_recipient FROM message_4 m LEFT JOIN body b ON b.message = m.id LEFT JOIN author a ON a.message = m.id
	WHERE b.message IS NOT NULL OR a.message IS NOT NULL;
ALTER TABLE record RENAME TO record_4;
DROP INDEX record_settled;
DROP INDEX record_bounce;
DROP INDEX record_recipient;
CREATE TABLE record (id INTEGER PRIMARY KEY, message BIGINT NOT NULL, queue_id TEXT NOT NULL, batch TEXT NOT NULL, file TEXT NOT NULL,
	source BLOB NOT NULL, sender_local TEXT NOT NULL, sender_domain TEXT NOT NULL, message_id TEXT NOT NULL, notification BOOLEAN NOT NULL,
	length BIGINT NOT NULL, sum BLOB NOT NULL, local TEXT NOT NULL, domain TEXT NOT NULL, profile TEXT NOT NULL, decision BIGINT NOT NULL,
	status TEXT NOT NULL, reason TEXT NOT NULL, tries BIGINT NOT NULL, doubts BIGINT NOT NULL, outcome TEXT NOT NULL, session BIGINT,
	cleartext BOOLEAN NOT NULL, attempts TEXT NOT NULL, queued_at BIGINT NOT NULL, settled_at BIGINT NOT NULL, bounce BIGINT NOT NULL,
	recipient BIGINT NOT NULL DEFAULT 0);
CREATE INDEX record_settled ON record (settled_at);
CREATE INDEX record_bounce ON record (message) WHERE bounce = 1;
CREATE INDEX record_recipient ON record (recipient);
INSERT INTO record SELECT c.id, c.message, queue_id, batch, file, source, sender_local, sender_domain, message_id, notification, length, sum,
	local, domain, profile, decision, status, reason, tries, doubts, outcome, session, cleartext, attempts, queued_at, settled_at, bounce, recipient
	FROM record_4 c JOIN message_4 m ON m.id = c.message;
DROP TABLE message_4;
DROP TABLE record_4;
DROP TABLE body;
DROP TABLE author;
ALTER TABLE segment DROP COLUMN first_message;
ALTER TABLE segment DROP COLUMN last_message;
PRAGMA user_version = 3`,
}

// A spool of an earlier version is brought up to date when it is opened, with what it holds: what
// was queued, and what was delivered, is known again, what bounced is not.
func TestMigration(t *testing.T) {
	t.Parallel()
	for version := 1; version < len(migrations); version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			dir := stateDir(t)
			s := openTest(t, dir, Options{})
			for n, o := range []delivery.Outcome{{}, delivered(), failed(delivery.Bounced, policy.RecipientRejected)} {
				a := mustAdd(t, s, incoming(n, "a@b.test"))
				if o.Status == "" {
					continue
				}
				mustClaim(t, s, ClaimRequest{Filter: Filter{IDs: []string{a.Entry.Message.QueueID}}})
				mustSettle(t, s, o, time.Time{}, ids(a.Entry)...)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			for v := len(migrations) - 1; v >= version; v-- {
				sql(t, filepath.Join(dir, databaseName), strings.Split(downgrades[v], ";\n")...)
			}
			for range 2 {
				s = openTest(t, dir, Options{})
				checkMigrated(t, s)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func checkMigrated(t *testing.T, s *Spool) {
	t.Helper()
	var version, tables int64
	err := s.reading(t.Context(), func(c *conn) error {
		return errors.Join(
			c.query("PRAGMA user_version", nil, func(r *scan) error { version = r.int(); return nil }),
			c.query("SELECT count(*) FROM sqlite_schema WHERE name = 'backoff'", nil, func(r *scan) error { tables = r.int(); return nil }))
	})
	if err != nil || version != int64(len(migrations)) || tables != 0 {
		t.Errorf("version %d, %d tables that nobody reads: %v", version, tables, err)
	}
	for n, want := range []delivery.Status{delivery.Queued, delivery.Delivered} {
		again := mustAdd(t, s, incoming(n, "a@b.test"))
		if k := again.Receipts[0].Known; k == nil || k.Recipient.Status != want || k.Message.QueueID != fmt.Sprintf("q%06d", n) {
			t.Errorf("message %d is known as %+v, want %s", n, k, want)
		}
	}
	if again := mustAdd(t, s, incoming(2, "a@b.test")); again.Receipts[0].Known != nil {
		t.Errorf("what bounced is known: %+v", again.Receipts[0].Known)
	}
	if _, err := s.Cancel(t.Context(), Filter{IDs: []string{"q000002"}}); err != nil {
		t.Fatal(err)
	}
	got := mustClaim(t, s, ClaimRequest{})
	if len(got) != 1 || !strings.Contains(bodyOf(t, s, &got[0].Message), "MARKER-0") {
		t.Fatalf("it holds %+v", got)
	}
	if err := s.Release(t.Context(), ids(got...)...); err != nil {
		t.Fatal(err)
	}
}

// What an owner of an earlier version was sending when it ended is in doubt, and nothing else is.
func TestMigratedIntents(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	s := openTest(t, dir, Options{})
	sent := mustAdd(t, s, incoming(1, "sending@b.test", "idle@b.test")).Receipts[0].ID
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, databaseName)
	for v := len(migrations) - 1; v >= 3; v-- {
		sql(t, path, strings.Split(downgrades[v], ";\n")...)
	}
	sql(t, path, "INSERT INTO owner (id, lock, name, since, lease_until) VALUES (7, 'gone', 'old', 0, 0)",
		fmt.Sprintf("UPDATE recipient SET owner = 7, sending = id = %d", sent))
	s = openTest(t, dir, Options{})
	if found := s.Recovered(); found.DeadOwners != 1 || found.InDoubt != 1 || found.Err != nil {
		t.Errorf("recovered %+v", found)
	}
	rows := queued(t, s)
	if len(rows) != 2 || rows[0].Recipient.Status != delivery.InDoubt || rows[1].Recipient.Status != delivery.Queued {
		t.Errorf("queued %+v", rows)
	}
}
