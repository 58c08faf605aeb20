package route

import "net/netip"

// Prohibited reports an address that no mail host on the internet can have: loopback,
// unspecified, link-local, private, shared (RFC 6598), multicast or reserved, and every
// IPv6 form that carries such an IPv4 address. A domain that names one would make this
// host talk to itself or to its inner network (RFC 5321 §5.1, RFC 6890 §2.2). The
// documentation ranges (RFC 5737, RFC 3849) are not prohibited: they lead nowhere by
// themselves, and test networks live there. The zero Addr is prohibited.
func Prohibited(addr netip.Addr) bool {
	if !addr.IsValid() {
		return true
	}
	addr = addr.WithZone("").Unmap()
	if addr.IsLoopback() || addr.IsUnspecified() || addr.IsPrivate() || addr.IsMulticast() || addr.IsLinkLocalUnicast() {
		return true
	}
	if addr.Is4() {
		return reserved4(addr.As4())
	}
	return reserved6(addr.As16())
}

func reserved4(b [4]byte) bool {
	return b[0] == 0 || // RFC 1122 §3.2.1.3: "this network"
		b[0] == 100 && b[1]&0xc0 == 64 || // RFC 6598: 100.64.0.0/10, behind a carrier's NAT
		b[0] >= 240 // RFC 1112 §4: reserved, with the limited broadcast
}

func reserved6(b [16]byte) bool {
	embedded := func(i int) bool { return Prohibited(netip.AddrFrom4([4]byte(b[i : i+4]))) }
	switch {
	case b[0] == 0xfe && b[1]&0xc0 == 0xc0: // RFC 3879: site-local, deprecated
		return true
	case [12]byte(b[:12]) == [12]byte{}: // RFC 4291 §2.5.5.1: IPv4-compatible, deprecated
		return true
	case b[0] == 0x20 && b[1] == 0x02: // RFC 3056 §2: 6to4
		return embedded(2)
	case [12]byte(b[:12]) == [12]byte{0, 0x64, 0xff, 0x9b}: // RFC 6052 §3.1: NAT64
		return embedded(12)
	}
	return false
}
