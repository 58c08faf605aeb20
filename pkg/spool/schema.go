package spool

import (
	"errors"
	"fmt"
	"strings"
)

// applicationID marks a database as a spool ("sctl"); user_version counts the migrations that it has seen.
const applicationID = 0x7363746c

// primaryKey is what {{PK}} stands for: a number that the database gives out, and never twice.
// PostgreSQL: BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY.
const primaryKey = "INTEGER PRIMARY KEY AUTOINCREMENT"

// rowKey is what {{ROW}} stands for: a number taken from the table counter, once a transaction
// for all its rows. PostgreSQL: BIGINT PRIMARY KEY.
const rowKey = "INTEGER PRIMARY KEY"

// clustered is what {{CLUSTERED}} stands for: a table that is nothing but its key. PostgreSQL: nothing.
const clustered = "WITHOUT ROWID"

// migrations brings a database from version n to n+1 by migrations[n]. Times are milliseconds
// since the epoch.
var migrations = []string{`
-- what many rows share, stored once: decisions, trust anchors, facts of sessions
CREATE TABLE fact (
	id   {{PK}},
	hash BLOB NOT NULL UNIQUE, -- SHA-256 of body
	body TEXT NOT NULL
);
-- the next numbers of the three tables that grow by the row; none is ever given out twice, so
-- that a claim that was lost can never mean a later recipient
CREATE TABLE counter (
	message   BIGINT NOT NULL,
	recipient BIGINT NOT NULL,
	record    BIGINT NOT NULL
);
INSERT INTO counter (message, recipient, record) VALUES (1, 1, 1);
CREATE TABLE owner (
	id          BIGINT PRIMARY KEY, -- random, never given out twice
	lock        TEXT NOT NULL,      -- file in owners/, locked while the owner lives
	name        TEXT NOT NULL,      -- for people
	since       BIGINT NOT NULL,
	lease_until BIGINT NOT NULL,
	buried      BOOLEAN NOT NULL DEFAULT FALSE -- dead, its claims are free; a sweep finishes what it left undone
);
CREATE TABLE segment (
	id    {{PK}},
	owner BIGINT NOT NULL, -- who appends to it; 0: nobody any more
	clean BOOLEAN NOT NULL -- between the bodies that live in it there is nothing but zeros
);
CREATE TABLE message (
	id            {{ROW}},
	queue_id      TEXT NOT NULL,
	batch         TEXT NOT NULL,
	file          TEXT NOT NULL,
	source        BLOB NOT NULL, -- SHA-256 of the file as it was given
	sender_local  TEXT NOT NULL, -- reverse-path
	sender_domain TEXT NOT NULL,
	message_id    TEXT NOT NULL,
	header_from   TEXT NOT NULL, -- for notifications; gone with the row once all is settled
	header_date   TEXT NOT NULL,
	eight_bit     BOOLEAN NOT NULL,
	utf8          BOOLEAN NOT NULL,
	envelope_id   TEXT NOT NULL,
	queued_at     BIGINT NOT NULL,
	notification  BOOLEAN NOT NULL, -- one of our own: a bounce or a notice of delay
	noticed       BOOLEAN NOT NULL DEFAULT FALSE, -- the sender was told of the delay
	segment       BIGINT, -- NULL: the body is gone
	start         BIGINT NOT NULL,
	length        BIGINT NOT NULL,
	sum           BLOB NOT NULL, -- SHA-256 of the body in wire form
	wipe          BOOLEAN NOT NULL DEFAULT FALSE -- all is settled, the body has to be overwritten
);
CREATE INDEX message_queue_id ON message (queue_id);
CREATE INDEX message_segment ON message (segment) WHERE segment IS NOT NULL;
CREATE TABLE recipient (
	id       {{ROW}},
	message  BIGINT NOT NULL,
	key      BLOB NOT NULL, -- of source, reverse-path and recipient: what makes it the same again
	local    TEXT NOT NULL,
	domain   TEXT NOT NULL,
	profile  TEXT NOT NULL,
	decision BIGINT NOT NULL, -- fact: the requirement it was accepted with
	status   TEXT NOT NULL,
	reason   TEXT NOT NULL DEFAULT '',
	owner    BIGINT NOT NULL, -- whose claim it is; 0: nobody's
	sending  BOOLEAN NOT NULL DEFAULT FALSE, -- the owner may have sent the final dot
	next_at  BIGINT, -- NULL: not by itself
	tries    BIGINT NOT NULL DEFAULT 0,
	doubts   BIGINT NOT NULL DEFAULT 0, -- how often the final reply was lost
	outcome  TEXT, -- of the last attempt
	session  BIGINT, -- fact
	attempts TEXT NOT NULL DEFAULT '', -- a JSON object a line, up to a limit
	latest   TEXT NOT NULL DEFAULT ''  -- likewise, of the last attempt
);
CREATE INDEX recipient_message ON recipient (message);
CREATE INDEX recipient_key ON recipient (key);
CREATE INDEX recipient_due ON recipient (next_at) WHERE owner = 0 AND next_at IS NOT NULL;
CREATE TABLE record (
	id            {{ROW}},
	message       BIGINT NOT NULL,
	key           BLOB NOT NULL,
	queue_id      TEXT NOT NULL,
	batch         TEXT NOT NULL,
	file          TEXT NOT NULL,
	source        BLOB NOT NULL,
	sender_local  TEXT NOT NULL,
	sender_domain TEXT NOT NULL,
	message_id    TEXT NOT NULL,
	notification  BOOLEAN NOT NULL,
	length        BIGINT NOT NULL,
	sum           BLOB NOT NULL,
	local         TEXT NOT NULL,
	domain        TEXT NOT NULL,
	profile       TEXT NOT NULL,
	decision      BIGINT NOT NULL,
	status        TEXT NOT NULL,
	reason        TEXT NOT NULL,
	tries         BIGINT NOT NULL,
	doubts        BIGINT NOT NULL,
	outcome       TEXT NOT NULL,
	session       BIGINT,
	cleartext     BOOLEAN NOT NULL, -- delivered, and not over TLS
	attempts      TEXT NOT NULL,
	queued_at     BIGINT NOT NULL,
	settled_at    BIGINT NOT NULL,
	bounce        BIGINT NOT NULL -- 0: nobody is told; 1: the sender has to be told; 2: it was handed on
);
CREATE INDEX record_key ON record (key);
CREATE INDEX record_settled ON record (settled_at);
CREATE INDEX record_bounce ON record (message) WHERE bounce = 1;
`, `
-- the first version had a table of hosts to be left alone, which nothing ever read: domains are put off (see Postpone)
DROP TABLE IF EXISTS backoff;
-- and marked messages whose bodies have to be overwritten: they are those without recipients
ALTER TABLE message DROP COLUMN wipe;
`, `
-- up to the second version queue and record had an index of keys each: what settled was taken out of the one and put
-- into the other, at a random place both times
CREATE TABLE known (
	key       BLOB NOT NULL,   -- of source, reverse-path and recipient: what makes it the same again
	recipient BIGINT NOT NULL, -- queued or delivered, by the number that it has or had in the queue
	PRIMARY KEY (key, recipient)
) {{CLUSTERED}};
-- its number in the queue; less than 0 where that was not kept
ALTER TABLE record ADD COLUMN recipient BIGINT NOT NULL DEFAULT 0;
UPDATE record SET recipient = -id;
INSERT INTO known (key, recipient) SELECT key, id FROM recipient UNION ALL SELECT key, recipient FROM record WHERE status = 'delivered';
DROP INDEX recipient_key;
DROP INDEX record_key;
ALTER TABLE record DROP COLUMN key;
CREATE INDEX record_recipient ON record (recipient);
-- a message's recipients are numbered one after another when it is accepted, so no index has to find them
ALTER TABLE message ADD COLUMN first_recipient BIGINT NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN last_recipient BIGINT NOT NULL DEFAULT 0;
UPDATE message SET
	first_recipient = coalesce((SELECT min(r.id) FROM recipient r WHERE r.message = message.id), 0),
	last_recipient = coalesce((SELECT max(r.id) FROM recipient r WHERE r.message = message.id), 0);
DROP INDEX recipient_message;
`, `
-- up to the third version a message's row went when all was settled, and every row of the record had a copy of it
ALTER TABLE message RENAME TO message_3;
DROP INDEX message_queue_id;
DROP INDEX message_segment;
CREATE TABLE message (
	id              {{ROW}},
	queue_id        TEXT NOT NULL,
	batch           TEXT NOT NULL,
	file            TEXT NOT NULL,
	source          BLOB NOT NULL, -- SHA-256 of the file as it was given
	sender_local    TEXT NOT NULL, -- reverse-path
	sender_domain   TEXT NOT NULL,
	message_id      TEXT NOT NULL,
	eight_bit       BOOLEAN NOT NULL,
	utf8            BOOLEAN NOT NULL,
	envelope_id     TEXT NOT NULL,
	queued_at       BIGINT NOT NULL,
	notification    BOOLEAN NOT NULL, -- one of our own: a bounce or a notice of delay
	noticed         BOOLEAN NOT NULL DEFAULT FALSE, -- the sender was told of the delay
	segment         BIGINT NOT NULL, -- where the body is, or was
	start           BIGINT NOT NULL,
	length          BIGINT NOT NULL,
	sum             BLOB NOT NULL, -- SHA-256 of the body in wire form
	first_recipient BIGINT NOT NULL,
	last_recipient  BIGINT NOT NULL
);
CREATE INDEX message_queue_id ON message (queue_id);
-- bodies that are there, with what of their header a notification needs
CREATE TABLE body (
	message     {{ROW}},
	header_from TEXT NOT NULL,
	header_date TEXT NOT NULL
);
-- the messages whose bodies are in a segment are among these
ALTER TABLE segment ADD COLUMN first_message BIGINT NOT NULL DEFAULT 0;
ALTER TABLE segment ADD COLUMN last_message BIGINT NOT NULL DEFAULT 9223372036854775807;
-- what of the header is needed yet of messages whose bodies are gone: of those a bounce has to be told
CREATE TABLE author (
	message     {{ROW}},
	header_from TEXT NOT NULL,
	header_date TEXT NOT NULL
);
INSERT INTO body SELECT id, header_from, header_date FROM message_3 WHERE segment IS NOT NULL;
INSERT INTO author SELECT id, header_from, header_date FROM message_3 WHERE segment IS NULL;
INSERT INTO message SELECT id, queue_id, batch, file, source, sender_local, sender_domain, message_id, eight_bit, utf8, envelope_id,
	queued_at, notification, noticed, coalesce(segment, 0), start, length, sum, first_recipient, last_recipient FROM message_3;
INSERT INTO message SELECT message, min(queue_id), min(batch), min(file), min(source), min(sender_local), min(sender_domain),
	min(message_id), FALSE, FALSE, '', min(queued_at), min(notification), FALSE, 0, 0, min(length), min(sum), 0, 0
	FROM record WHERE message NOT IN (SELECT id FROM message_3) GROUP BY message;
DROP TABLE message_3;
ALTER TABLE record RENAME TO record_3;
DROP INDEX record_settled;
DROP INDEX record_bounce;
DROP INDEX record_recipient;
CREATE TABLE record (
	id         {{ROW}},
	message    BIGINT NOT NULL,
	recipient  BIGINT NOT NULL, -- its number in the queue; less than 0 where that was not kept
	local      TEXT NOT NULL,
	domain     TEXT NOT NULL,
	profile    TEXT NOT NULL,
	decision   BIGINT NOT NULL,
	status     TEXT NOT NULL,
	reason     TEXT NOT NULL,
	tries      BIGINT NOT NULL,
	doubts     BIGINT NOT NULL,
	outcome    TEXT NOT NULL,
	session    BIGINT,
	cleartext  BOOLEAN NOT NULL, -- delivered, and not over TLS
	attempts   TEXT NOT NULL,
	settled_at BIGINT NOT NULL,
	bounce     BIGINT NOT NULL -- 0: nobody is told; 1: the sender has to be told; 2: it was handed on
);
INSERT INTO record SELECT id, message, recipient, local, domain, profile, decision, status, reason, tries, doubts, outcome, session,
	cleartext, attempts, settled_at, bounce FROM record_3;
DROP TABLE record_3;
CREATE INDEX record_settled ON record (settled_at);
CREATE INDEX record_bounce ON record (message) WHERE bounce = 1;
CREATE INDEX record_recipient ON record (recipient);
-- recipients that the owner may have sent the final dot to: JSON, the first and the last number of each run of them
ALTER TABLE owner ADD COLUMN sending TEXT NOT NULL DEFAULT '[]';
UPDATE owner SET sending = (SELECT json_group_array(json_array(r.id, r.id)) FROM recipient r WHERE r.owner = owner.id AND r.sending);
ALTER TABLE recipient DROP COLUMN sending;
-- how often claims were taken from it while it lived
ALTER TABLE owner ADD COLUMN taken BIGINT NOT NULL DEFAULT 0;
`}

// migrate creates the tables of a new database and brings an old one up to date. A newer or
// foreign one is refused.
func migrate(c *conn) error {
	version, err := identify(c)
	if err != nil || version == len(migrations) {
		return err
	}
	if _, err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := upgrade(c); err != nil {
		_, undo := c.exec("ROLLBACK")
		return errors.Join(err, undo)
	}
	_, err = c.exec("COMMIT")
	return err
}

// identify tells the version of the database, 0 for an empty one.
func identify(c *conn) (int, error) {
	var id, version, tables int64
	for _, q := range []struct {
		sql string
		to  *int64
	}{{"PRAGMA application_id", &id}, {"PRAGMA user_version", &version}, {"SELECT count(*) FROM sqlite_schema", &tables}} {
		if err := c.query(q.sql, nil, func(s *scan) error { *q.to = s.int(); return nil }); err != nil {
			return 0, err
		}
	}
	switch {
	case tables == 0 && version == 0:
		return 0, nil
	case id != applicationID:
		return 0, errors.New("this database is not a spool of sendctl")
	case version > int64(len(migrations)):
		return 0, fmt.Errorf("the spool was written by a newer sendctl (version %d, this one knows %d); use that one", version, len(migrations))
	}
	return int(version), nil
}

func upgrade(c *conn) error {
	version, err := identify(c) // another process may have been faster
	if err != nil {
		return err
	}
	for ; version < len(migrations); version++ {
		sql := strings.NewReplacer("{{PK}}", primaryKey, "{{ROW}}", rowKey, "{{CLUSTERED}}", clustered).Replace(migrations[version])
		for statement := range strings.SplitSeq(sql, ";\n") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := c.exec(statement); err != nil {
				return err
			}
		}
	}
	if _, err := c.exec(fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return err
	}
	_, err = c.exec(fmt.Sprintf("PRAGMA user_version = %d", len(migrations)))
	return err
}
