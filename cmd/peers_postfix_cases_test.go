//go:build peers && linux

package cmd

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
	t.Run("matrix", func(t *testing.T) { readMatrix(t, "postfix.matrix").run(t, n, others, home) })
}
