package send

import (
	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/spool"
)

// task is a recipient that is to be sent to, with what its row need not keep.
type task struct {
	*Row
	earlier []delivery.Attempt // those of earlier runs
	again   courier.Again      // the host that greylisted it
}

// tasks are recipients that were never tried.
func tasks(rows []*Row) []task {
	out := make([]task, len(rows))
	for i, r := range rows {
		out[i].Row = r
	}
	return out
}

// parcel is one message for recipients that share a destination: one transaction.
type parcel struct {
	msg   *spool.Message
	dest  destination
	tasks []task
}

// destination is what recipients have in common that may travel in one transaction.
type destination struct {
	domain string
	duties string // of their decision: see dutiesOf
	again  courier.Again
}

// maxRecipients is how many recipients one transaction carries (RFC 5321 §4.5.3.1.8).
const maxRecipients = 100

// submitAll puts a message's recipients on their lanes: those that share a destination as one
// parcel, in the order of the recipients.
func (e *engine) submitAll(m *spool.Message, all []task) {
	destOf := func(t *task) destination {
		return destination{t.Recipient.Domain, e.lanes.dutiesOf(t.Decision), t.again}
	}
	if len(all) == 1 {
		e.submit(&parcel{m, destOf(&all[0]), all})
		return
	}
	var out []*parcel
	open := map[destination]*parcel{}
	for i := range all {
		dest := destOf(&all[i])
		p := open[dest]
		if p == nil || len(p.tasks) >= maxRecipients {
			p = &parcel{msg: m, dest: dest}
			open[dest] = p
			out = append(out, p)
		}
		p.tasks = append(p.tasks, all[i])
	}
	for _, p := range out {
		e.submit(p)
	}
}

// split divides a parcel so that no part has more than most recipients.
func (p *parcel) split(most int) (first, rest *parcel) {
	if most <= 0 || len(p.tasks) <= most {
		return p, nil
	}
	return &parcel{p.msg, p.dest, p.tasks[:most:most]}, &parcel{p.msg, p.dest, p.tasks[most:]}
}
