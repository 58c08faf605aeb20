package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// fileName is the file in Options.Dir by which others find a sandbox.
const fileName = "sandbox.json"

// directions is the content of sandbox.json.
type directions struct {
	Version   int                           `json:"version"`
	PID       int                           `json:"pid"`
	DNS       string                        `json:"dns"`
	CA        string                        `json:"ca"`
	Addresses map[netip.Addr]netip.AddrPort `json:"addresses"`
	Domains   []Info                        `json:"domains"`
}

// publish writes sandbox.json, unless another sandbox runs there.
func (s *Sandbox) publish(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the sandbox's directory: %w", err)
	}
	if other, err := Join(dir); err == nil {
		return fmt.Errorf("a sandbox is already running in %s (process %d); stop it or name another directory", dir, other.directions.PID)
	}
	d := directions{
		Version: 1, PID: os.Getpid(), DNS: s.DNS(), CA: string(s.CA()),
		Addresses: map[netip.Addr]netip.AddrPort{}, Domains: s.info,
	}
	for addr, p := range s.atlas {
		if p.server != nil {
			d.Addresses[addr] = p.server.Addr()
		}
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("composing %s: %w", fileName, err)
	}
	path := filepath.Join(dir, fileName)
	if err := replace(path, append(text, '\n')); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	s.remove = func() error {
		now, err := readDirections(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return fmt.Errorf("removing %s: %w", path, err)
		case now.PID != d.PID || now.DNS != d.DNS:
			return nil // a later sandbox has put its own there
		}
		return os.Remove(path)
	}
	return nil
}

// replace writes a file (0600) so that a reader sees the old content or the new, never a part.
func replace(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".sandbox-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func readDirections(dir string) (*directions, error) {
	text, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		return nil, err
	}
	d := &directions{}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, err
	}
	if d.Version != 1 {
		return nil, fmt.Errorf("version %d of the file is not known", d.Version)
	}
	return d, nil
}

// Joined is a sandbox that another process runs.
type Joined struct {
	directions *directions
	atlas      atlas
}

// ErrNotRunning is Join's error where no sandbox runs in the directory.
var ErrNotRunning = errors.New("no sandbox is running there; start one with: sendctl sandbox --dir DIR")

// Join reaches the sandbox that was started with that Options.Dir. Where none runs the error is ErrNotRunning.
func Join(dir string) (*Joined, error) {
	d, err := readDirections(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("joining the sandbox in %s: %w", dir, ErrNotRunning)
	}
	if err != nil {
		return nil, fmt.Errorf("joining the sandbox in %s: reading %s: %w", dir, fileName, err)
	}
	// The file outlives a sandbox that was killed.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := dialTCP(ctx, d.DNS)
	if err != nil {
		return nil, fmt.Errorf("joining the sandbox in %s: process %d does not answer any more: %w", dir, d.PID, ErrNotRunning)
	}
	_ = c.Close()
	j := &Joined{directions: d, atlas: atlas{}}
	for doc, local := range d.Addresses {
		j.atlas[doc] = place{dial: func(ctx context.Context) (*net.TCPConn, error) { return dialTCP(ctx, local.String()) }}
	}
	return j, nil
}

// Dial connects to the host at a documentation address; see [Network].
func (j *Joined) Dial(ctx context.Context, source netip.Addr, target netip.AddrPort) (net.Conn, error) {
	return j.atlas.dial(ctx, source, target)
}

// DialContext connects to the host at "address:port"; see [Network].
func (j *Joined) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return j.atlas.dialContext(ctx, network, address)
}

// DNS is the address of the name server, "127.0.0.1:port", for UDP and TCP.
func (j *Joined) DNS() string { return j.directions.DNS }

// CA is the root certificate in PEM.
func (j *Joined) CA() []byte { return []byte(j.directions.CA) }

// Table describes the domains.
func (j *Joined) Table() []Info { return j.directions.Domains }

// Close has nothing to end: the sandbox is another's.
func (j *Joined) Close() error { return nil }
