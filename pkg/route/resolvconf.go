package route

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
)

const (
	dnsPort          = 53
	maxResolvConf    = 64 << 10 // bytes read of a resolv.conf
	maxNameservers   = 3        // resolv.conf(5): MAXNS
	adviceNoServers  = "name a resolver in sendctl.toml: [dns] servers = [\"127.0.0.1:53\"]"
	resolvConfServer = "nameserver"
)

// ServersFromResolvConf reads the name servers of a resolv.conf(5) file, at most three, as
// "ip:port". Nothing else of the file is obeyed: names are always asked in full, so its
// search list has no say (a wildcard in it would swallow mail for mistyped domains). A
// missing file, or one that names no server, is an error that says what to do.
func ServersFromResolvConf(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("find a DNS resolver: %w; %s", err, adviceNoServers)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxResolvConf))
	if err != nil {
		return nil, fmt.Errorf("find a DNS resolver: read %s: %w; %s", path, err, adviceNoServers)
	}
	servers := parseResolvConf(string(text))
	if len(servers) == 0 {
		return nil, fmt.Errorf("find a DNS resolver: no usable nameserver line in %s; %s", path, adviceNoServers)
	}
	return servers, nil
}

// parseResolvConf skips what it does not understand, as resolv.conf(5) does.
func parseResolvConf(text string) []string {
	var servers []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != resolvConfServer {
			continue
		}
		addr, err := netip.ParseAddr(fields[1])
		if err != nil {
			continue
		}
		servers = append(servers, netip.AddrPortFrom(addr, dnsPort).String())
		if len(servers) == maxNameservers {
			break
		}
	}
	return servers
}

// ParseServer reads one entry of Options.Servers: "ip" (port 53), "ip:port" or "[ip6]:port".
// Host names are refused: there is nobody to resolve them.
func ParseServer(s string) (netip.AddrPort, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(addr, dnsPort), nil
	}
	server, err := netip.ParseAddrPort(s)
	if err != nil || server.Port() == 0 {
		return netip.AddrPort{}, errors.New("not a DNS server: want an IP address, with or without a port, as in 127.0.0.1:53 or [::1]:53")
	}
	return server, nil
}
