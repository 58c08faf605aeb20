//go:build peers && linux

package cmd_test

import (
	"os"
	"testing"
)

func TestPeersPostfix(t *testing.T) {
	if _, err := os.Stat(postfixMaster); err != nil {
		absent(t, "Postfix is not installed: %v", err)
	}
	if os.Getuid() != 0 {
		absent(t, "Postfix can be started by root only")
	}
	n := newPeersNet(t, "postfix.hosts", 80)
	others, home := startPostfixes(t, n)
	n.configure(t)
	t.Run("content", func(t *testing.T) { checkContent(t, n, others, home) })
	t.Run("recipients", func(t *testing.T) { checkRecipients(t, n, others, home) })
	t.Run("trace", func(t *testing.T) { checkTrace(t, n, "any", "bare") })
	t.Run("poor server", func(t *testing.T) { checkPoor(t, n, others, home, "bare") })
	t.Run("split", func(t *testing.T) { checkSplit(t, n, others, home) })
	t.Run("crowd", func(t *testing.T) { checkCrowd(t, n, others, home) })
	t.Run("watched", func(t *testing.T) { checkWatched(t, n, others, home) })
	t.Run("notification", func(t *testing.T) { checkNotification(t, n, others) })
	t.Run("null sender", func(t *testing.T) { checkNullSender(t, n, others, home) })
	t.Run("permutations", func(t *testing.T) { checkPermutations(t, n, others) })
	t.Run("matrix", func(t *testing.T) { readMatrix(t, "postfix.matrix").run(t, n, others, home) })
}
