package cmd

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/spool"
)

// engine is everything that a command needs to deliver: network, spool, and how to be told.
type engine struct {
	send.Config
	net      *network
	box      *sandboxNetwork
	progress *ui.Progress
	watcher  *watcher
	closers  []func() error
}

// engine opens network and spool as configuration and flags say. The caller closes it.
func (a *app) engine(cfg *config.Config, flags *sandboxFlags, notify bool) (*engine, error) {
	e := &engine{}
	if err := a.equip(e, cfg, flags, notify); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (a *app) equip(e *engine, cfg *config.Config, flags *sandboxFlags, notify bool) error {
	out, err := a.output()
	if err != nil {
		return err
	}
	box, err := flags.open(a.flags.state)
	if err != nil {
		return err
	}
	if e.box = box; box != nil {
		e.closers = append(e.closers, box.close)
	}
	if e.net, err = a.network(cfg, box); err != nil {
		return err
	}
	e.closers = append(e.closers, func() error { e.net.close(); return nil })
	store, err := a.openSpool(cfg, box)
	if err != nil {
		return err
	}
	e.closers = append(e.closers, store.Close)
	e.progress = out.Progress(0)
	e.closers = append(e.closers, func() error { e.progress.Done(); return nil })
	e.Config = e.configure(cfg, store, notify)
	e.Clock = a.now
	e.watcher = &watcher{out: out, progress: e.progress}
	e.Observer = e.watcher
	return nil
}

func (e *engine) configure(cfg *config.Config, store *spool.Spool, notify bool) send.Config {
	s, speed := cfg.Settings, time.Duration(e.net.speed)
	schedule := delivery.Schedule{For: s.Delivery.RetryFor / speed}
	for _, w := range s.Delivery.Retry {
		schedule.Waits = append(schedule.Waits, w/speed)
	}
	return send.Config{
		Spool: store, Courier: e.net.courier, Hostname: e.net.hostname,
		Connections:               s.Delivery.Connections,
		ConnectionsPerDestination: s.Delivery.ConnectionsPerDestination,
		MessagesPerConnection:     s.Delivery.MessagesPerConnection,
		Schedule:                  schedule,
		HoldDoubt:                 s.Spool.OnDoubt == config.DoubtHold,
		Bounces: send.Bounces{
			Dir:   filepath.Join(store.Dir(), "bounces"),
			Send:  notify && s.Bounce.Notify == config.NotifySMTP,
			Delay: s.Bounce.DelayNotice / speed,
		},
	}
}

// close ends everything that was opened, the last one first.
func (e *engine) close() error {
	var err error
	for i := len(e.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, e.closers[i]())
	}
	e.closers = nil
	return stateFault(err)
}

// openSpool opens the store in the state directory.
func (a *app) openSpool(cfg *config.Config, box *sandboxNetwork) (*spool.Spool, error) {
	if cfg.Settings.Spool.URL != "" {
		return nil, configf("remove [spool] url from sendctl.toml; the store in the state directory is used then",
			"[spool] url: %s: only the embedded store is built in", cfg.Settings.Spool.URL)
	}
	dir, err := a.stateDir(box)
	if err != nil {
		return nil, err
	}
	o := spool.Options{OnDoubt: spool.Retry, Clock: a.now}
	if cfg.Settings.Spool.OnDoubt == config.DoubtHold {
		o.OnDoubt = spool.Hold
	}
	store, err := spool.Open(dir, o)
	if err != nil {
		return nil, stateFault(err)
	}
	a.warnOfRecovery(store.Recovered())
	return store, nil
}

// warnOfRecovery names what opening the store found that a person should know of.
func (a *app) warnOfRecovery(r spool.Recovery) {
	out := a.stderrOutput()
	for _, path := range r.Strays {
		out.Warn(path+" is no part of the spool and was moved to corrupt/", "")
	}
	if r.Err != nil {
		out.Warn(fmt.Sprintf("what an earlier run left undone could not be finished: %v", r.Err), "it is tried again by the next command")
	}
}

// stateFault gives an error of the store its exit status and hint.
func stateFault(err error) error {
	if err == nil {
		return nil
	}
	var state *spool.StateError
	if errors.As(err, &state) {
		return fail(exitState, err, state.Hint)
	}
	return fail(exitState, err, "")
}

// finish prints a run's report and gives its exit status.
func (a *app) finish(e *engine, report *send.Report, interrupted bool) error {
	out, err := a.output()
	if err != nil {
		return err
	}
	e.progress.Done()
	if err := out.Report(report); err != nil {
		return fail(exitState, fmt.Errorf("writing the report: %w", err), "")
	}
	if report.Err != nil {
		return stateFault(report.Err)
	}
	return statusOfReport(report, interrupted)
}
