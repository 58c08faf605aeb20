//go:build !unix

package smtp

import "net"

// peeker looks whether a peer has sent something.
type peeker struct{}

func newPeeker(net.Conn) *peeker { return &peeker{} }

// pending cannot tell here, and so says no: what a server said too early is then taken for the
// answer to the next command, and noticed by that.
func (*peeker) pending() bool { return false }
