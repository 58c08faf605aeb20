//go:build linux

package bench

import (
	"context"
	"fmt"
	"time"
)

// parts are the questions, in order.
func (s *suite) parts() []part {
	return []part{s.partA()}
}

// trials makes an entry that sends a load.
func (s *suite) trials(name string, w load, send contender) entry {
	return entry{name, func(ctx context.Context) (figures, error) { return s.lab.run(ctx, w, send) }}
}

func (s *suite) partA() part {
	w := load{messages: s.messages, octets: 2048}
	return part{
		key: "a", title: fmt.Sprintf("%d messages of 2 KB to one domain", s.messages),
		entries: []entry{
			s.trials("sendctl", w, sendAll),
			s.trials("sendctl, as shipped", w, sendAsShipped),
			s.trials("hand-written loop", w, bareLoop),
		},
	}
}

var _ = time.Second
