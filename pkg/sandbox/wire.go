package sandbox

import (
	"bytes"
	"errors"
	"io"
	"net"
	"time"
)

// errCut ends a handshake that the host's settings interrupted.
var errCut = errors.New("interrupted by the sandbox")

// wire is the bare connection under a session. Its goroutine is the session's.
type wire struct {
	net.Conn
	server  *Server
	seen    *Connection
	secured bool // a handshake is done: what is read is no longer in clear
	mute    bool // nothing more is written
	read    int  // octets read so far

	handshake bool   // a handshake is under way
	random    []byte // the ServerHello's
	flights   int    // whole flights written in it
	written   int    // octets written after the flights that a cut waits for
}

// Read records what comes in clear.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.read += n
	if !w.secured {
		w.server.record.plain(w.seen, p[:n])
	}
	return n, err
}

// Write sends p as it is, or in a handshake as the host's settings have it.
func (w *wire) Write(p []byte) (int, error) {
	switch {
	case w.mute:
		return len(p), nil
	case !w.handshake:
		return w.Conn.Write(p)
	}
	if w.random == nil && len(p) >= 43 && p[0] == 22 && p[5] == 2 {
		w.random = bytes.Clone(p[11:43]) // behind the headers of record and message, and the version
	}
	cut := w.server.host.TLS.Cut
	if cut == nil || w.flights < cut.Flights || w.written+len(p) <= cut.After {
		if cut != nil && w.flights >= cut.Flights {
			w.written += len(p)
		}
		w.flights++
		return len(p), w.send([][]byte{p}, 0)
	}
	err := w.send([][]byte{p[:cut.After-w.written]}, 0)
	if err == nil {
		w.do(cut.Do)
		err = errCut
	}
	w.mute = true
	return 0, err
}

// send writes segments with pauses; in a dripping handshake each octet is a segment.
func (w *wire) send(segments [][]byte, every time.Duration) error {
	drip := w.server.host.TLS.Drip
	for i, s := range segments {
		if i > 0 && !w.server.pause(every) {
			return net.ErrClosed
		}
		if !w.handshake || drip == 0 {
			if _, err := w.Conn.Write(s); err != nil {
				return err
			}
			continue
		}
		for j := range s {
			if j > 0 && !w.server.pause(drip) {
				return net.ErrClosed
			}
			if _, err := w.Conn.Write(s[j : j+1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// do plays an action on the bare connection, within a handshake, and ends the connection.
func (w *wire) do(a *Action) {
	w.handshake = false // an action's octets neither drip nor are cut
	defer func() { w.mute = true }()
	for {
		if w.send(a.Send, a.Every) != nil {
			return
		}
		if !a.Repeat || !w.server.pause(a.Every) {
			break
		}
	}
	w.end(a.End, w)
}

// end brings the connection to its end; r is read where reading goes on.
func (w *wire) end(e End, r io.Reader) {
	tcp, _ := w.Conn.(*net.TCPConn)
	switch e {
	case Stall:
		_, _ = io.Copy(io.Discard, r)
	case HalfClose:
		if tcp != nil {
			_ = tcp.CloseWrite()
		}
		_, _ = io.Copy(io.Discard, r)
	case Freeze:
		<-w.server.done
	case Reset:
		if tcp != nil {
			_ = tcp.SetLinger(0)
		}
	case Continue, Close, Sever:
	}
	_ = w.Conn.Close()
}

// pause waits; it reports false when the host was closed meanwhile.
func (s *Server) pause(d time.Duration) bool {
	if d <= 0 {
		select {
		case <-s.done:
			return false
		default:
			return true
		}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.done:
		return false
	case <-timer.C:
		return true
	}
}
