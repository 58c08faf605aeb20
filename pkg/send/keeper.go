package send

import (
	"context"
	"errors"
	"sync"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/spool"
)

// keeper writes what became of recipients to the spool, many at a time, and only then tells
// the observer. A session does not wait for it: what is out and not recorded is bounded by the
// intents that sessions have, for a later one is written behind the outcomes before it.
type keeper struct {
	spool *spool.Spool
	tell  func(...*Row)
	fail  func(error)
	in    chan settlement
	done  sync.WaitGroup
}

// settlement is a row with its new outcome, and what the spool has to know of it.
type settlement struct {
	row  *Row
	item spool.Settlement
}

func newKeeper(s *spool.Spool, tell func(...*Row), fail func(error)) *keeper {
	k := &keeper{spool: s, tell: tell, fail: fail, in: make(chan settlement, 1024)}
	k.done.Go(k.run)
	return k
}

// put hands over a settlement; it blocks only while the store is far behind.
func (k *keeper) put(s settlement) { k.in <- s }

// close returns when everything that was put is written.
func (k *keeper) close() {
	close(k.in)
	k.done.Wait()
}

func (k *keeper) run() {
	const most = 512
	for s := range k.in {
		room := min(1+len(k.in), most)
		rows, items := append(make([]*Row, 0, room), s.row), append(make([]spool.Settlement, 0, room), s.item)
		for more := true; more && len(rows) < most; {
			select {
			case s, ok := <-k.in:
				if more = ok; ok {
					rows, items = append(rows, s.row), append(items, s.item)
				}
			default:
				more = false
			}
		}
		k.write(rows, items)
	}
}

func (k *keeper) write(rows []*Row, items []spool.Settlement) {
	err := k.spool.Settle(context.Background(), items...)
	var lost *spool.ClaimLostError
	if err != nil && !errors.As(err, &lost) {
		k.fail(err)
		for _, r := range rows {
			r.unrecorded()
		}
	}
	k.tell(rows...)
}

// unrecorded marks a row whose outcome could not be written: what was delivered is in doubt,
// for the next run cannot know of it.
func (r *Row) unrecorded() {
	if r.Outcome.Status == delivery.Delivered {
		r.Outcome.Status = delivery.InDoubt
		r.Outcome.Text = "the server took it, but that could not be recorded"
	}
}
