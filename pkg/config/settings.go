package config

import (
	"net/netip"
	"time"
)

// Settings is sendctl.toml, with the defaults in place of what it does not say (SPEC §2).
type Settings struct {
	File           string // "" where there is none
	Hostname       string // the EHLO name; "" means this host's FQDN
	NullProfile    string // what "-" means; "" means unencrypted transport
	RequireProfile bool   // sending without a profile is an error
	DNS            DNS
	Pools          map[string]Pool // "default" is always there
	Delivery       Delivery
	Timeouts       Timeouts
	Bounce         Bounce
	Spool          Spool
}

// DNS says which resolvers are asked and whether their word on DNSSEC is believed.
type DNS struct {
	Servers []netip.AddrPort // none: those of /etc/resolv.conf
	TrustAD bool             // believe the AD bit of a resolver that is not on loopback
}

// Pool is the addresses that mail leaves from. Without sources the system chooses: IPv4, and
// IPv6 only where the MX has nothing else.
type Pool struct {
	Sources []Source
}

// Source is one address of a pool.
type Source struct {
	Address netip.Addr
	EHLO    string // the name to greet with; "" means Settings.Hostname
}

// Delivery is how much is done at once, and how often it is tried.
type Delivery struct {
	Port                      int
	ConnectionsPerDestination int
	MessagesPerConnection     int
	Connections               int // overall
	Pipelining                string
	Window                    int // messages in flight on a connection
	AllowPrivateAddresses     bool
	Retry                     []time.Duration // waits between attempts, the last one repeated
	RetryFor                  time.Duration
	MaxRun                    time.Duration
}

// The values of Delivery.Pipelining.
const (
	PipeliningFull    = "full"
	PipeliningMessage = "message"
	PipeliningOff     = "off"
)

// Timeouts bound each step or whole reply (defaults after RFC 5321 §4.5.3.2).
type Timeouts struct {
	Connect, Greeting, Handshake, Command, DataStart, DataBlock, DataDone, DNS time.Duration
}

// Bounce says who learns of failures.
type Bounce struct {
	Notify      string        // NotifySMTP or NotifyNone
	DelayNotice time.Duration // 0: none
}

// The values of Bounce.Notify.
const (
	NotifySMTP = "smtp"
	NotifyNone = "none"
)

// Spool says where messages wait.
type Spool struct {
	URL     string // "": the embedded store in the state directory
	OnDoubt string // DoubtRetry or DoubtHold
}

// The values of Spool.OnDoubt: what becomes of a recipient whose final reply was lost.
const (
	DoubtRetry = "retry"
	DoubtHold  = "hold"
)

// DefaultSettings is what applies where sendctl.toml says nothing.
func DefaultSettings() Settings {
	return Settings{
		Pools: map[string]Pool{"default": {}},
		Delivery: Delivery{
			Port: 25, ConnectionsPerDestination: 4, MessagesPerConnection: 100, Connections: 200,
			Pipelining: PipeliningFull, Window: 16,
			Retry:    []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour},
			RetryFor: 120 * time.Hour, MaxRun: 15 * time.Minute,
		},
		Timeouts: Timeouts{
			Connect: 30 * time.Second, Greeting: 5 * time.Minute, Handshake: time.Minute, Command: 5 * time.Minute,
			DataStart: 2 * time.Minute, DataBlock: 3 * time.Minute, DataDone: 10 * time.Minute, DNS: 5 * time.Second,
		},
		Bounce: Bounce{Notify: NotifySMTP, DelayNotice: 4 * time.Hour},
		Spool:  Spool{OnDoubt: DoubtRetry},
	}
}
