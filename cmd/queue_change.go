package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/pkg/spool"
)

// change is one of the commands by which a person changes the queue.
type change struct {
	verb, done, short, long string
	do                      func(*spool.Spool, context.Context, spool.Filter) (spool.Changed, error)
}

func (a *app) queueChangeCommands() []*cobra.Command {
	var out []*cobra.Command
	for _, ch := range []change{
		{"hold", "held", "Keep recipients from being sent until they are released",
			"Keep recipients from being sent until queue release.", (*spool.Spool).Hold},
		{"release", "released", "Let recipients that are held be sent again",
			"Let recipients that are held, or in doubt and kept, be sent again; queue run sends them.", (*spool.Spool).ReleaseHeld},
		{"cancel", "cancelled", "Give recipients up: nothing is sent and nobody is told",
			"Give recipients up: nothing is sent, nobody is told, and history says so.", (*spool.Spool).Cancel},
	} {
		out = append(out, a.queueChangeCommand(ch))
	}
	return out
}

func (a *app) queueChangeCommand(ch change) *cobra.Command {
	var f filterFlags
	var box sandboxFlags
	everything := false
	c := &cobra.Command{
		Use:     ch.verb + " [ID...]",
		Short:   ch.short,
		Long:    ch.long + " Name queue IDs or filters; --everything for all that waits.\n" + queueStatusHelp,
		Example: fmt.Sprintf("  sendctl queue %s 2b9d5c7c6f8a4a1f9e3c7d10\n  sendctl queue %s --domain example.com", ch.verb, ch.verb),
		RunE: func(c *cobra.Command, ids []string) error {
			if len(ids) == 0 && !f.chosen() && !everything {
				return usagef("name queue IDs or filters, or say --everything", "nothing is named to be %s", ch.done)
			}
			return a.withSpool(&box, func(s *spool.Spool) error { return a.changeQueue(c.Context(), s, &f, ch, ids) })
		},
	}
	c.Flags().BoolVar(&everything, "everything", false, "all that waits")
	f.register(c)
	box.register(c)
	return c
}

func (a *app) changeQueue(ctx context.Context, s *spool.Spool, f *filterFlags, ch change, ids []string) error {
	out, err := a.output()
	if err != nil {
		return err
	}
	filter, err := f.filter(ids)
	if err != nil {
		return err
	}
	changed, err := ch.do(s, ctx, filter)
	if err != nil {
		return stateFault(err)
	}
	if changed.Done == 0 && changed.Busy == 0 && len(ids) > 0 {
		return fail(exitNoInput, fmt.Errorf("nothing waits under %s", joined(ids)), "sendctl queue list shows what waits")
	}
	if changed.Busy > 0 {
		out.Warn(fmt.Sprintf("%d recipients are being sent just now and were left alone", changed.Busy), "try again when the run has ended")
	}
	if out.Format().JSON() {
		return out.Print(map[string]int{"changed": changed.Done, "busy": changed.Busy})
	}
	noun := "recipients"
	if changed.Done == 1 {
		noun = "recipient"
	}
	return out.Line(fmt.Sprintf("%d %s %s", changed.Done, noun, ch.done))
}
