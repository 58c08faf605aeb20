package spool

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// The intents of an owner, which recipients it may have sent the final dot to, stand in its own
// row: they are few, change with every message, and one statement writes them for a whole
// transaction.

// intents is the recipients that this process may have sent the final dot to, as an owner. It is
// the writer's own.
type intents struct {
	owner int64 // whose they are; another one begins with none
	ids   map[int64]bool
	// undo is what the transaction that is under way changed: the numbers, and whether they were there.
	undo []intentChange
}

type intentChange struct {
	id  int64
	was bool
}

const (
	sqlTakenFrom  = `SELECT taken FROM owner WHERE id = $1 AND NOT buried`
	sqlIsClaim    = `SELECT id FROM recipient WHERE id = $1 AND owner = $2`
	sqlSetSending = `UPDATE owner SET sending = $2 WHERE id = $1`
	sqlSending    = `SELECT sending FROM owner WHERE id = $1`
	sqlClaimsOf   = `SELECT id FROM recipient WHERE owner = $1`
)

// set adds a recipient, or takes it out.
func (x *intents) set(id int64, sending bool) {
	if was := x.ids[id]; was != sending {
		x.put(id, sending)
		x.undo = append(x.undo, intentChange{id, was})
	}
}

func (x *intents) put(id int64, sending bool) {
	if sending {
		x.ids[id] = true
	} else {
		delete(x.ids, id)
	}
}

// clear takes out all.
func (x *intents) clear() {
	for id := range x.ids {
		x.set(id, false)
	}
}

// ended keeps what the transaction changed, or takes it back where that was rolled back.
func (x *intents) ended(committed bool) {
	changes := x.undo
	x.undo = x.undo[:0]
	if committed {
		return
	}
	for _, c := range slices.Backward(changes) {
		x.put(c.id, c.was)
	}
}

// of gives the intents of an owner: this process, under the number that it has just now.
func (x *intents) of(owner int64) *intents {
	if x.owner != owner {
		*x = intents{owner: owner, ids: map[int64]bool{}}
	}
	return x
}

// String is the numbers as the owner's row has them: the first and the last of those that follow
// one another.
func (x *intents) String() string {
	b := []byte{'['}
	for first, last := range runs(slices.Collect(maps.Keys(x.ids))) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, '['), first, 10)
		b = append(strconv.AppendInt(append(b, ','), last, 10), ']')
	}
	return string(append(b, ']'))
}

// parseIntents reads what String wrote.
func parseIntents(text string) ([]int64, error) {
	var pairs [][2]int64
	if err := json.Unmarshal([]byte(text), &pairs); err != nil {
		return nil, err
	}
	var ids []int64
	for _, p := range pairs {
		if p[1] < p[0] || p[1]-p[0] > maxRun {
			return nil, errDamaged("recipients %d to %d are being sent to", p[0], p[1])
		}
		for id := p[0]; id <= p[1]; id++ {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// maxRun is more recipients than one owner ever sends to at once.
const maxRun = 1 << 24

// numberList is numbers as a JSON array.
func numberList(ids []int64) string {
	b, _ := json.Marshal(append([]int64{}, ids...)) // of numbers: never fails
	return string(b)
}

// beingSent is which of its claims an owner may have sent the final dot to. Where that cannot be
// read it may be all of them.
func (s *Spool) beingSent(t *tx, owner int64) ([]int64, error) {
	text := "[]"
	if err := t.query(sqlSending, []any{owner}, func(r *scan) error { text = r.text(); return nil }); err != nil {
		return nil, err
	}
	if x := &s.me.sending; x.owner == owner { // what this transaction changed is not written yet
		text = x.String()
	}
	noted, err := parseIntents(text)
	var ids []int64
	add := func(r *scan) error { ids = append(ids, r.int()); return nil }
	if err != nil {
		err := t.query(sqlClaimsOf, []any{owner}, add)
		return ids, err
	}
	for _, id := range noted {
		if err := t.query(sqlIsClaim, []any{id, owner}, add); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// intend notes the intents of this process, and gives those recipients that are not its own any more.
func (s *Spool) intend(t *tx, me int64, recipients []int64) (lost []int64, err error) {
	taken := int64(-1) // it was taken for dead
	if err := t.query(sqlTakenFrom, []any{me}, func(r *scan) error { taken = r.int(); return nil }); err != nil {
		return nil, err
	}
	for _, id := range recipients {
		ours := taken == 0 && s.claimOf(id).owner == me
		if !ours && taken >= 0 { // what is not remembered may be ours all the same: it was claimed while it was settled
			if err := t.query(sqlIsClaim, []any{id, me}, func(*scan) error { ours = true; return nil }); err != nil {
				return nil, err
			}
		}
		if !ours {
			lost = append(lost, id)
			continue
		}
		s.me.sending.of(me).set(id, true)
	}
	return lost, nil
}

// unsent takes back that a recipient may have been sent to: it is settled, put off, or given back.
// What was begun under a number that this process had before changes nothing under its new one.
func (s *Spool) unsent(me, recipient int64) {
	if x := &s.me.sending; x.owner == me {
		x.set(recipient, false)
	}
}

// noteIntents writes the intents down, where the transaction changed them.
func (s *Spool) noteIntents(t *tx) error {
	x := &s.me.sending
	if len(x.undo) == 0 {
		return nil
	}
	_, err := t.exec(sqlSetSending, x.owner, x.String())
	return err
}
