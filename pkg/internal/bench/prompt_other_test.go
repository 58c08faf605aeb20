//go:build !linux

package bench

import "net"

// promptConn does nothing where TCP_QUICKACK is unknown; the suite runs on Linux only.
func promptConn(conn net.Conn) net.Conn { return conn }
