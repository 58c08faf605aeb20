package bench

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// TestMain lets the test binary be each of the suite's processes: the first argument says which. Without one of them
// it runs the tests.
func TestMain(m *testing.M) {
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	run, known := roles()[role]
	if !known {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[2:])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", role, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// roles are the processes that the test binary can be, each with its arguments.
func roles() map[string]func(ctx context.Context, args []string) error {
	return map[string]func(context.Context, []string) error{
		"sink":  sinkRole,
		"loop":  loopRole,
		"suite": suiteRole,
	}
}
