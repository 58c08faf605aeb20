package spool

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
)

type factHash = [sha256.Size]byte

// fact is a text that many rows share: a decision, a set of trust anchors, what a session was
// like. It is stored once, under its SHA-256.
type fact struct {
	hash factHash
	body string
}

// maxKnownFacts bounds the caches of facts; they are emptied when they are full.
const maxKnownFacts = 4096

func newFact(body []byte) fact { return fact{sha256.Sum256(body), string(body)} }

const (
	sqlAddFact    = `INSERT INTO fact (hash, body) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING`
	sqlFindFact   = `SELECT id FROM fact WHERE hash = $1`
	sqlFactByID   = `SELECT hash, body FROM fact WHERE id = $1`
	sqlFactByHash = `SELECT hash, body FROM fact WHERE hash = $1`
)

// intern gives the number of a fact, storing it where it is new.
func (t *tx) intern(f fact) (int64, error) {
	if id, ok := t.w.known[f.hash]; ok {
		return id, nil
	}
	if id, ok := t.fresh[f.hash]; ok {
		return id, nil
	}
	if _, err := t.exec(sqlAddFact, f.hash[:], f.body); err != nil {
		return 0, err
	}
	var id int64
	if err := t.query(sqlFindFact, []any{f.hash[:]}, func(s *scan) error { id = s.int(); return nil }); err != nil {
		return 0, err
	}
	if id == 0 {
		return 0, errNoRow
	}
	t.fresh[f.hash] = id
	return id, nil
}

// factBody reads a fact and makes sure that it is what was stored.
func factBody(c *conn, sql string, key any) (string, error) {
	var hash []byte
	var body string
	err := c.query(sql, []any{key}, func(s *scan) error { hash, body = s.blob(), s.text(); return nil })
	switch {
	case err != nil:
		return "", err
	case hash == nil:
		return "", errDamaged("a fact is missing")
	case sha256.Sum256([]byte(body)) != [sha256.Size]byte(hash):
		return "", errDamaged("a fact is not what was stored")
	}
	return body, nil
}

// damaged is an entry that cannot be read, whereas the store as a whole can.
type damaged struct{ text string }

func (d *damaged) Error() string { return d.text }

func errDamaged(format string, values ...any) error { return &damaged{fmt.Sprintf(format, values...)} }

// reader decodes facts, each once.
type reader struct {
	mu        sync.Mutex
	decisions map[int64]*policy.Decision
	sessions  map[int64]*delivery.Session
}

func newReader() *reader {
	return &reader{decisions: map[int64]*policy.Decision{}, sessions: map[int64]*delivery.Session{}}
}

// decision gives the decision stored as fact id. It is shared: it is for reading.
func (r *reader) decision(c *conn, id int64) (*policy.Decision, error) {
	r.mu.Lock()
	d, ok := r.decisions[id]
	r.mu.Unlock()
	if ok {
		return d, nil
	}
	body, err := factBody(c, sqlFactByID, id)
	if err != nil {
		return nil, err
	}
	decoded, err := decodeDecision(body, func(hash factHash) (string, error) { return factBody(c, sqlFactByHash, hash[:]) })
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.decisions) > maxKnownFacts {
		clear(r.decisions)
	}
	d = &decoded
	r.decisions[id] = d
	return d, nil
}

// session gives the facts of a session stored as fact id; nil for 0.
func (r *reader) session(c *conn, id int64) (*delivery.Session, error) {
	if id == 0 {
		return nil, nil
	}
	r.mu.Lock()
	s, ok := r.sessions[id]
	r.mu.Unlock()
	if ok {
		return s, nil
	}
	body, err := factBody(c, sqlFactByID, id)
	if err != nil {
		return nil, err
	}
	if s, err = decodeSession(body); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sessions) > maxKnownFacts {
		clear(r.sessions)
	}
	r.sessions[id] = s
	return s, nil
}
