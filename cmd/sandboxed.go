package cmd

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// sandboxSpeed is how many times as fast as real ones a sandbox's clocks run.
const sandboxSpeed = 60

// sandboxHostname is the EHLO name in a sandbox where none is configured.
const sandboxHostname = "mta1.clinic.test"

// sandboxFlags are the flags of commands that can talk to a sandbox instead of the network.
type sandboxFlags struct {
	at       string // bare, or the directory of one that runs
	messages string
}

// bareSandbox is the value of --sandbox without a directory.
const bareSandbox = " "

func (f *sandboxFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.at, "sandbox", "", "talk to a sandbox instead of the network: one for this run, or the one that runs in `DIR`")
	c.Flags().Lookup("sandbox").NoOptDefVal = bareSandbox
	c.Flags().StringVar(&f.messages, "sandbox-dir", "", "write what the sandbox of this run received into `DIR`")
}

// sandboxNetwork is a sandbox as commands see it.
type sandboxNetwork struct {
	Dial  courier.Dial
	dns   netip.AddrPort
	ca    []byte
	state string // where its state is kept, unless --state says otherwise
	close func() error
}

// open starts or joins the sandbox that the flags ask for; nil where they ask for none.
// state is the state directory that was named, "" where none was.
func (f *sandboxFlags) open(state string) (*sandboxNetwork, error) {
	switch f.at {
	case "":
		if f.messages != "" {
			return nil, usagef("add --sandbox", "--sandbox-dir needs --sandbox")
		}
		return nil, nil
	case bareSandbox:
		return f.start(state)
	}
	if f.messages != "" {
		return nil, usagef("name it to the sandbox command that runs there", "--sandbox-dir does not go with --sandbox=DIR")
	}
	joined, err := sandbox.Join(f.at)
	if err != nil {
		return nil, fail(exitNoInput, err, "start it: sendctl sandbox --dir "+f.at)
	}
	return newSandboxNetwork(joined.Dial, joined.DNS(), joined.CA(), filepath.Join(f.at, "state"), joined.Close)
}

// start runs a sandbox for this run. Its state is temporary unless a directory was named.
func (f *sandboxFlags) start(state string) (*sandboxNetwork, error) {
	remove := func() error { return nil }
	if state == "" {
		dir, err := os.MkdirTemp("", "sendctl-sandbox-")
		if err != nil {
			return nil, fail(exitState, fmt.Errorf("making the sandbox's state directory: %w", err), "")
		}
		state, remove = dir, func() error { return os.RemoveAll(dir) }
	} else if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, fail(exitState, fmt.Errorf("making the state directory: %w", err), "")
	}
	box, err := sandbox.Start(sandbox.Options{
		MessageDir: f.messages, StatePath: filepath.Join(state, "sandbox-greylist.json"), Keep: sandbox.KeepCounts,
	})
	if err != nil {
		return nil, fail(exitState, errors.Join(err, remove()), "")
	}
	return newSandboxNetwork(box.Dial, box.DNS(), box.CA(), state, func() error { return errors.Join(box.Close(), remove()) })
}

func newSandboxNetwork(dial courier.Dial, dns string, ca []byte, state string, stop func() error) (*sandboxNetwork, error) {
	server, err := netip.ParseAddrPort(dns)
	if err != nil {
		return nil, fail(exitBug, fmt.Errorf("the sandbox's DNS address: %w", err), "")
	}
	return &sandboxNetwork{Dial: dial, dns: server, ca: ca, state: state, close: stop}, nil
}

// hurried divides every timeout, to no less than a second.
func hurried(t config.Timeouts, speed int) config.Timeouts {
	for _, d := range []*time.Duration{&t.Connect, &t.Greeting, &t.Handshake, &t.Command, &t.DataStart, &t.DataBlock, &t.DataDone, &t.DNS} {
		*d = max(*d/time.Duration(speed), time.Second)
	}
	return t
}
