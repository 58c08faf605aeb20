package send

import (
	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/spool"
)

// parcel is one message for recipients that share a destination: one transaction.
type parcel struct {
	msg  *spool.Message
	dest courier.Destination
	key  string // of dest
	rows []*Row
}

// maxRecipients is how many recipients one transaction carries (RFC 5321 §4.5.3.1.8).
const maxRecipients = 100

// parcels groups a message's recipients by destination, in the order of the recipients.
func parcels(m *spool.Message, rows []*Row) []*parcel {
	var out []*parcel
	open := map[string]*parcel{}
	for _, r := range rows {
		dest := courier.Destination{
			Domain: r.Recipient.Domain, Requirement: r.Decision.Requirement,
			Offer: r.Decision.Offer, Pool: r.Decision.Pool, Again: r.again,
		}
		key := dest.Key()
		p := open[key]
		if p == nil || len(p.rows) >= maxRecipients {
			p = &parcel{msg: m, dest: dest, key: key}
			open[key] = p
			out = append(out, p)
		}
		p.rows = append(p.rows, r)
	}
	return out
}
