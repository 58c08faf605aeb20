package courier

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// sourcesFor lists the sources of a pool that fit an address's family, in round robin order.
// A pool without sources gives one that leaves the address to the system.
func (c *Courier) sourcesFor(pool string, to netip.Addr) []Source {
	all := c.cfg.Pools[pool]
	if len(all) == 0 {
		return []Source{{EHLO: c.cfg.Hostname}}
	}
	var fit []Source
	for _, s := range all {
		if s.Address.Is4() == to.Is4() {
			if s.EHLO == "" {
				s.EHLO = c.cfg.Hostname
			}
			fit = append(fit, s)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	key := pool + " 6"
	if to.Is4() {
		key = pool + " 4"
	}
	c.mu.Lock()
	start := c.next[key]
	c.next[key] = (start + 1) % len(fit)
	c.mu.Unlock()
	start %= len(fit)
	return append(fit[start:len(fit):len(fit)], fit[:start]...)
}

// noSource means that no address of the pool can be used: the message must not leave from
// any other address.
type noSource struct{ text string }

func (e *noSource) Error() string { return e.text }

// connect dials from the pool: where one of its addresses cannot be bound, the next of the
// pool is tried, never an address outside of it. The one that is wanted again goes first.
func (c *Courier) connect(ctx context.Context, pool string, to, again netip.Addr) (net.Conn, Source, error) {
	sources := c.sourcesFor(pool, to)
	if i := slices.IndexFunc(sources, func(s Source) bool { return s.Address.IsValid() && s.Address == again }); i > 0 {
		sources[0], sources[i] = sources[i], sources[0]
	}
	if len(sources) == 0 {
		family := "IPv6"
		if to.Is4() {
			family = "IPv4"
		}
		return nil, Source{}, &noSource{fmt.Sprintf("pool %s has no %s address to reach %s from", pool, family, to)}
	}
	var unbound error
	for _, src := range sources {
		dialCtx, cancel := context.WithTimeout(ctx, c.cfg.Session.Timeouts.Connect)
		conn, err := c.cfg.Dial(dialCtx, src.Address, netip.AddrPortFrom(to, c.cfg.Port))
		cancel()
		if err == nil {
			return conn, src, nil
		}
		if !src.Address.IsValid() || !cannotBind(err) {
			return nil, src, err
		}
		unbound = err
	}
	return nil, Source{}, &noSource{fmt.Sprintf("no address of pool %s can be used on this host: %v", pool, unbound)}
}

// cannotBind reports that the local address is not on this host or must not be used.
func cannotBind(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES)
}

// localAddress is the address that a connection left from, "" where that cannot be told.
func localAddress(conn net.Conn) string {
	if a, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap().String()
	}
	return ""
}
