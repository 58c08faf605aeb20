//go:build linux

package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// lab is what all trials have in common.
type lab struct {
	self        string // this program, for its other roles
	sendctl     string // the program that is measured
	nodemailer  string // the directory in which it is installed
	dir         string // for all that is written
	connections int    // that every sender may have at once
}

// load is what is to be sent, and to what kind of host.
type load struct {
	messages   int
	octets     int
	recipients int // of each message; 0: one
	domains    int // 0: one
	host       hostOptions
	kept       bool // nothing is delivered: the messages are accepted, and stay with the sender
	sessions   int  // connections that every sender may have at once; 0: the suite's
}

// trial is one run of one sender: its batch, its host, and a directory of its own.
type trial struct {
	*lab
	batch batch
	host  *remote
	dir   string
}

// contender is a way to send a batch.
type contender func(ctx context.Context, t *trial) (usage, error)

// figures are the results of one run.
type figures struct {
	usage
	seen       counts // the sink's
	recipients int
	roundTrip  time.Duration
}

// rate is messages per second between the first and the last acceptance; where nothing was delivered, per second of
// the whole run.
func (f figures) rate() float64 {
	if f.seen.Messages > 0 {
		return f.seen.rate()
	}
	return float64(f.recipients) / f.Wall.Seconds()
}

// each is a duration for each recipient, in microseconds.
func (f figures) each(d time.Duration) float64 {
	return float64(d.Microseconds()) / float64(max(1, f.recipients))
}

// perTrip is messages for each round trip on each session.
func (f figures) perTrip() float64 {
	return f.rate() * f.roundTrip.Seconds() / float64(max(1, f.seen.Peak))
}

// batch gives the directory of messages for a load, and makes it the first time.
func (l *lab) batch(w load) (batch, error) {
	b := batch{messages: w.messages, octets: w.octets, recipients: max(1, w.recipients), domains: max(1, w.domains)}
	b.dir = filepath.Join(l.dir, fmt.Sprintf("batch-%d-%d-%d-%d", b.messages, b.octets, b.recipients, b.domains))
	if _, err := os.Stat(b.dir); err == nil {
		return b, nil
	}
	return b, b.write()
}

// run has one contender send one load, and checks that it did: everything arrived, nothing twice, no fault.
func (l *lab) run(ctx context.Context, w load, send contender) (figures, error) {
	b, err := l.batch(w)
	if err != nil {
		return figures{}, err
	}
	dir, err := os.MkdirTemp(l.dir, "trial-")
	if err != nil {
		return figures{}, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // Postfix's users enter, too
		return figures{}, err
	}
	w.host.addresses = max(1, w.host.addresses)
	host, err := startRemote(ctx, l.self, w.host)
	if err != nil {
		return figures{}, err
	}
	defer host.stop()
	syscall.Sync() // what others wrote before does not slow this one
	of := *l
	if w.sessions > 0 {
		of.connections = w.sessions
	}
	used, err := send(ctx, &trial{&of, b, host, dir})
	if err != nil {
		return figures{}, err
	}
	seen, err := host.counts()
	if err != nil {
		return figures{}, err
	}
	f := figures{used, seen, b.messages * b.recipients, w.host.roundTrip}
	want := f.recipients
	if w.kept {
		want = 0
	}
	if seen.Recipients != want || seen.Repeated > 0 || seen.Faults > 0 {
		return f, fmt.Errorf("the sink has %d of %d recipients, %d second copies, %d faults (%s)",
			seen.Recipients, want, seen.Repeated, seen.Faults, seen.Fault)
	}
	return f, nil
}

// bareLoop is the hand-written loop, with a journal.
func bareLoop(ctx context.Context, t *trial) (usage, error) {
	return measure(t.loop(ctx, t.host.Port, "-journal="+filepath.Join(t.dir, "journal")))
}

// loop prepares the loop's process for the trial's batch.
func (t *trial) loop(ctx context.Context, port int, more ...string) *exec.Cmd {
	args := []string{
		"loop",
		"-batch=" + t.batch.dir,
		"-messages=" + strconv.Itoa(t.batch.messages),
		"-domains=" + strconv.Itoa(t.batch.domains),
		"-to=127.0.0.1:" + strconv.Itoa(port),
		"-connections=" + strconv.Itoa(t.connections),
	}
	return command(ctx, t.self, append(args, more...)...)
}
