package cmd

import (
	"context"
	"fmt"

	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/send"
)

// The values of send --gate.
const (
	gateAll       = "all"
	gateRecipient = "recipient"
)

// gated is what is to pass the gate, and how.
type gated struct {
	how string
	ins []send.Input
}

// gate asks the mail hosts of a batch before anything of it is accepted, and says whom to
// leave out: with "all" everybody, unless everybody would get it encrypted; with "recipient"
// those who would be bounced. nil leaves nobody out.
func (a *app) gate(ctx context.Context, e *engine, cfg *config.Config, opts send.Options, of gated) (func(*send.Row) (policy.Reason, string), error) {
	how := of.how
	switch how {
	case "":
		return nil, nil
	case gateAll, gateRecipient:
	default:
		return nil, usagef("all or recipient", "--gate: there is no gate %q", how)
	}
	got, err := a.preflight(ctx, cfg, e.box, opts, preflightOf{of.ins, preflightAge})
	if err != nil {
		return nil, err
	}
	type place struct{ file, recipient string }
	forecasts := map[place]*probe.Forecast{}
	closed := 0
	for i := range got.Recipients {
		f := &got.Recipients[i]
		forecasts[place{f.File, f.Recipient}] = f
		if f.Fate != probe.Encrypted {
			closed++
		}
	}
	closed += len(got.Refused)
	return func(r *send.Row) (policy.Reason, string) {
		f := forecasts[place{r.File, r.Recipient.String()}]
		switch {
		case f == nil:
			return "", "not asked about before sending; left out by --gate"
		case f.Fate == probe.Bounced, how == gateAll && f.Fate != probe.Encrypted:
			return policy.Reason(f.Reason), "left out by --gate: " + f.Text
		case how == gateAll && closed > 0:
			return "", fmt.Sprintf("left out by --gate: %d others would not get it encrypted, so nobody does", closed)
		}
		return "", ""
	}, nil
}
