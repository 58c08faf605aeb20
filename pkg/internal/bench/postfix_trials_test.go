//go:build peers && linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// sessions is how many connections bring mail to Postfix: enough to keep it busy.
const sessions = 10

// inject brings the trial's batch to Postfix over kept SMTP sessions in clear text. What that costs the one who
// brings it does not count.
func (p *postfix) inject(ctx context.Context, t *trial) error {
	_, err := measure(t.loop(ctx, p.listen, "-clear", "-connections="+strconv.Itoa(sessions)))
	return err
}

// withPostfix runs a private instance with these services for as long as the use of it takes.
func withPostfix(p *postfix, services string, use func() error) (err error) {
	if err := p.start(services); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	return use()
}

// postfixRelay is Postfix that accepts and delivers at the same time.
func postfixRelay(ctx context.Context, t *trial) (used usage, err error) {
	p, err := newPostfix(t)
	if err != nil {
		return used, err
	}
	err = withPostfix(p, postfixQueue, func() error {
		m := p.measure()
		err := errors.Join(p.inject(ctx, t), t.host.await(ctx, t.batch.messages), p.empty(ctx))
		used = m.usage()
		return err
	})
	return used, err
}

// postfixFlush is Postfix that delivers a full queue: what it took to accept the mail does not count.
func postfixFlush(ctx context.Context, t *trial) (used usage, err error) {
	p, err := newPostfix(t)
	if err != nil {
		return used, err
	}
	if err := withPostfix(p, "", func() error { return p.inject(ctx, t) }); err != nil {
		return used, err
	}
	err = withPostfix(p, postfixQueue, func() error {
		m := p.measure()
		err := errors.Join(t.host.await(ctx, t.batch.messages), p.empty(ctx))
		used = m.usage()
		return err
	})
	return used, err
}

// postfixSendmail is Postfix's sendmail command, once for each file, two at a time: what a script does. The messages
// are accepted and stay where they are.
func postfixSendmail(ctx context.Context, t *trial) (used usage, err error) {
	p, err := newPostfix(t)
	if err != nil {
		return used, err
	}
	err = withPostfix(p, "", func() error {
		m := p.measure()
		spent, err := p.sendmail(ctx, t)
		used = m.usage()
		used.CPU += spent
		return err
	})
	return used, err
}

// sendmail hands all messages over, and says how much CPU the commands used.
func (p *postfix) sendmail(ctx context.Context, t *trial) (time.Duration, error) {
	const atOnce = 2
	var next, spent atomic.Int64
	failed := make([]error, atOnce)
	var working sync.WaitGroup
	for i := range failed {
		working.Go(func() {
			for n := int(next.Add(1)) - 1; n < t.batch.messages && failed[i] == nil; n = int(next.Add(1)) - 1 {
				var cpu time.Duration
				cpu, failed[i] = p.sendmailOne(ctx, filepath.Join(t.batch.dir, name(n)), t.batch.to(n)[0])
				spent.Add(int64(cpu))
			}
		})
	}
	working.Wait()
	return time.Duration(spent.Load()), errors.Join(failed...)
}

func (p *postfix) sendmailOne(ctx context.Context, file, to string) (time.Duration, error) {
	message, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer message.Close()
	c := exec.CommandContext(ctx, "/usr/sbin/sendmail", "-i", "-f", sender, "--", to)
	c.Env = append(os.Environ(), "MAIL_CONFIG="+filepath.Join(p.dir, "etc"))
	c.Stdin = message
	if err := c.Run(); err != nil {
		return 0, fmt.Errorf("sendmail: %w", err)
	}
	return c.ProcessState.UserTime() + c.ProcessState.SystemTime(), nil
}
