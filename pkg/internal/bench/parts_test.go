//go:build linux

package bench

import (
	"context"
	"fmt"
	"os/exec"
	"time"
)

// The senders' names, as the tables have them.
const (
	sendctlName    = "sendctl"
	chunkingName   = "sendctl, host offers CHUNKING"
	shippedName    = "sendctl, default settings"
	loopName       = "bare loop"
	relayName      = "Postfix, accept and deliver"
	flushName      = "Postfix, flush a full queue"
	nodemailerName = "nodemailer, pool"
	sendmailName   = "Postfix, sendmail -i for each message"
)

// parts are the questions, in order.
func (s *suite) parts() []part {
	return []part{s.partSmall(), s.partLarge(), s.partDomains(), s.partDistance(), s.partMillion(), s.partStartUp(), s.partAccept()}
}

// peers are the others that can be run.
func (s *suite) peers() map[string]contender {
	all := peers()
	if s.nodemailer == "" {
		delete(all, nodemailerName)
	}
	return all
}

// entry is a sender with a load.
func (s *suite) entry(name string, w load, send contender) entry {
	if send == nil {
		return entry{name: name}
	}
	return entry{name, func(ctx context.Context) (figures, error) { return s.lab.run(ctx, w, send) }}
}

// all are the entries of those parts in which everybody sends the same.
func (s *suite) all(w load) []entry {
	others := s.peers()
	chunks := w
	chunks.host.offer.chunking = true
	return []entry{
		s.entry(sendctlName, w, sendAll),
		s.entry(chunkingName, chunks, sendAll),
		s.entry(shippedName, w, sendAsShipped),
		s.entry(loopName, w, bareLoop),
		s.entry(relayName, w, others[relayName]),
		s.entry(flushName, w, others[flushName]),
		s.entry(nodemailerName, w, others[nodemailerName]),
	}
}

func (s *suite) partSmall() part {
	return part{
		key:     "a",
		title:   fmt.Sprintf("%d messages of 2 KB to one domain", s.messages),
		entries: s.all(load{messages: s.messages, octets: 2 << 10}),
		columns: []column{rateColumn(), timesColumn(), wallColumn(), cpuColumn(), connectionsColumn(), handshakesColumn(), memoryColumn()},
		targets: []target{
			{"times Postfix, accept and deliver", rateColumn(), sendctlName, relayName, 12, false},
			{"times Postfix, flush", rateColumn(), sendctlName, flushName, 6, false},
			{"times nodemailer", rateColumn(), sendctlName, nodemailerName, 3, false},
			{"of the bare loop", rateColumn(), sendctlName, loopName, 0.4, false},
			{"of the CPU time that Postfix needs to accept and deliver a message", cpuColumn(), sendctlName, relayName, 1. / 12, true},
		},
	}
}

func (s *suite) partLarge() part {
	return part{
		key:     "b",
		title:   fmt.Sprintf("%d messages of 50 KB to one domain", s.messages/5),
		entries: s.all(load{messages: s.messages / 5, octets: 50 << 10}),
		columns: []column{rateColumn(), timesColumn(), wallColumn(), cpuColumn(), connectionsColumn(), handshakesColumn(), memoryColumn()},
		targets: []target{{"times Postfix, accept and deliver", rateColumn(), sendctlName, relayName, 7, false}},
	}
}

func (s *suite) partDomains() part {
	const domains = 20
	one := load{messages: s.messages, octets: 2 << 10}
	many := one
	many.domains, many.host.addresses = domains, domains
	const twenty = "sendctl, 20 domains"
	return part{
		key:   "c",
		title: fmt.Sprintf("%d messages of 2 KB to 20 domains", s.messages),
		entries: []entry{
			s.entry("sendctl, 1 domain", one, sendAll),
			s.entry(twenty, many, sendAll),
			s.entry("sendctl, 20 domains, default settings", many, sendAsShipped),
		},
		columns: []column{rateColumn(), wallColumn(), cpuColumn(), connectionsColumn(), handshakesColumn(), memoryColumn()},
		targets: []target{{"of the rate to one domain", rateColumn(), twenty, "sendctl, 1 domain", 0.8, false}},
	}
}

// partDistance has few connections, so that the round trip is what limits everybody, and not the processor.
func (s *suite) partDistance() part {
	const connections = 4
	p := part{
		key:     "d",
		title:   fmt.Sprintf("2 KB each, %d connections, the host a round trip away", connections),
		columns: []column{rateColumn(), tripColumn(), wallColumn(), connectionsColumn()},
	}
	others := s.peers()
	for _, trip := range []time.Duration{20 * time.Millisecond, 50 * time.Millisecond} {
		w := load{messages: s.messages / 10, octets: 2 << 10, sessions: connections}
		w.host.roundTrip = trip
		few, chunks := w, w
		few.messages = max(1, w.messages/4)
		chunks.host.offer.chunking = true
		chunks.messages = 2 * w.messages
		at := fmt.Sprintf(", %d ms", trip.Milliseconds())
		p.entries = append(p.entries,
			s.entry(sendctlName+", DATA"+at, w, sendAll),
			s.entry(sendctlName+", CHUNKING"+at, chunks, sendAll),
			s.entry(loopName+at, w, bareLoop),
			s.entry("Postfix, flush"+at, few, others[flushName]),
			s.entry(nodemailerName+at, few, others[nodemailerName]),
		)
		p.targets = append(p.targets,
			target{"messages a round trip and session, DATA" + at, tripColumn(), sendctlName + ", DATA" + at, "", 0.8, false},
			target{"messages a round trip and session, CHUNKING" + at, tripColumn(), sendctlName + ", CHUNKING" + at, "", 5, false},
		)
	}
	return p
}

// partMillion compares a large spool with a small one. Its messages have 100 recipients each.
func (s *suite) partMillion() part {
	const each = 100
	small := load{messages: 10_000 / each, recipients: each, octets: 4 << 10}
	large := small
	large.messages *= 100
	p := part{
		key:     "e",
		title:   "recipients queued first, then delivered by queue run; 100 recipients a message",
		columns: []column{wallColumn(), queuingColumn(), eachColumn(), cpuColumn(), queuingMemoryColumn(), memoryColumn()},
	}
	if !s.million {
		return p
	}
	const few, many = "sendctl, 10,000 recipients", "sendctl, 1,000,000 recipients"
	p.entries = []entry{s.entry(few, small, queueAndRun), s.entry(many, large, queueAndRun)}
	p.targets = []target{{"times the time of a recipient among 10,000", eachColumn(), many, few, 1.6, true}}
	return p
}

func (s *suite) partStartUp() part {
	start := func(name string, args ...string) entry {
		return entry{name, func(ctx context.Context) (figures, error) { return s.startUp(ctx, args...) }}
	}
	const version, sandbox = "sendctl version", "sendctl send --sandbox, one message"
	return part{
		key:   "f",
		title: "start-up",
		entries: []entry{
			start(version, "version"),
			{sandbox, func(ctx context.Context) (figures, error) {
				b, err := s.batch(load{messages: 1, octets: 2 << 10, host: hostOptions{}})
				if err != nil {
					return figures{}, err
				}
				return s.startUp(ctx, "send", "--sandbox", "--profile", "hipaa", "--to", "a@tls13.test", b.dir)
			}},
		},
		columns: []column{startColumn(), elapsedColumn(), memoryColumn()},
		targets: []target{
			{"ms of CPU for sendctl version", startColumn(), version, "", 30, true},
			{"ms of CPU for one message in the sandbox", startColumn(), sandbox, "", 150, true},
		},
	}
}

func (s *suite) partAccept() part {
	w := load{messages: s.messages, octets: 2 << 10, kept: true}
	few := w
	few.messages = max(1, s.messages/20)
	const queue = "sendctl send --queue-only"
	traced := contender(queueOnlyTraced)
	if _, err := exec.LookPath("strace"); err != nil {
		traced = nil
	}
	return part{
		key:   "g",
		title: fmt.Sprintf("%d messages of 2 KB accepted, none delivered", s.messages),
		entries: []entry{
			s.entry(queue, w, queueOnly),
			s.entry(fmt.Sprintf("%s, %d messages under strace", queue, few.messages), few, traced),
			s.entry(fmt.Sprintf("%s, %d messages", sendmailName, few.messages), few, s.peers()[sendmailName]),
		},
		columns: []column{rateColumn(), wallColumn(), cpuColumn(), syncsColumn(), memoryColumn()},
		targets: []target{{"times Postfix's sendmail", rateColumn(), queue, fmt.Sprintf("%s, %d messages", sendmailName, few.messages), 0, false}},
	}
}
