// Package tlsnames holds the words of TLS: protocol versions, cipher suites, groups and alerts, with their IANA and OpenSSL names.
//
// The numbers are those of the wire, so they convert to and from crypto/tls without a table,
// but this package does not need a TLS stack.
package tlsnames

import (
	"fmt"
	"strings"
)

// Version is a protocol version as it stands on the wire.
type Version uint16

// The versions that sendctl speaks.
const (
	TLS10 Version = 0x0301
	TLS11 Version = 0x0302
	TLS12 Version = 0x0303
	TLS13 Version = 0x0304
)

// Versions lists the known versions, oldest first.
func Versions() []Version { return []Version{TLS10, TLS11, TLS12, TLS13} }

// ParseVersion reads exactly "TLSv1.0", "TLSv1.1", "TLSv1.2" or "TLSv1.3".
func ParseVersion(s string) (Version, bool) {
	for _, v := range Versions() {
		if v.String() == s {
			return v, true
		}
	}
	return 0, false
}

// String is "TLSv1.2" and the like; "" for zero, hexadecimal for what is unknown.
func (v Version) String() string {
	switch {
	case v == 0:
		return ""
	case v >= TLS10 && v <= TLS13:
		return fmt.Sprintf("TLSv1.%d", v-TLS10)
	}
	return fmt.Sprintf("0x%04x", uint16(v))
}

// VersionSet is a set of known versions; the zero value is the empty set.
type VersionSet uint8

// AllVersions holds every known version.
const AllVersions VersionSet = 1<<4 - 1

// VersionsOf makes a set; versions that are not known are left out.
func VersionsOf(vs ...Version) VersionSet {
	var s VersionSet
	for _, v := range vs {
		if v >= TLS10 && v <= TLS13 {
			s |= 1 << (v - TLS10)
		}
	}
	return s
}

// Has reports whether v is in the set.
func (s VersionSet) Has(v Version) bool { return s&VersionsOf(v) != 0 }

// Without is the set less the versions of t.
func (s VersionSet) Without(t VersionSet) VersionSet { return s &^ t }

// List is the set's versions, oldest first.
func (s VersionSet) List() []Version {
	var out []Version
	for _, v := range Versions() {
		if s.Has(v) {
			out = append(out, v)
		}
	}
	return out
}

// Names is the set's version names, oldest first; never nil.
func (s VersionSet) Names() []string {
	out := []string{}
	for _, v := range s.List() {
		out = append(out, v.String())
	}
	return out
}

// Min is the oldest version of the set, zero for the empty set.
func (s VersionSet) Min() Version {
	for _, v := range Versions() {
		if s.Has(v) {
			return v
		}
	}
	return 0
}

// Max is the newest version of the set, zero for the empty set.
func (s VersionSet) Max() Version {
	var top Version
	for _, v := range s.List() {
		top = v
	}
	return top
}

// Consecutive reports whether the set has no gap; the empty set has none.
func (s VersionSet) Consecutive() bool {
	if s == 0 {
		return true
	}
	return len(s.List()) == int(s.Max()-s.Min())+1
}

// String is "TLSv1.2", "TLSv1.2-1.3" or, for a set with gaps, the names joined by commas.
func (s VersionSet) String() string {
	switch {
	case s == 0:
		return "none"
	case s.Min() == s.Max():
		return s.Min().String()
	case s.Consecutive():
		return s.Min().String() + "-" + strings.TrimPrefix(s.Max().String(), "TLSv")
	}
	return strings.Join(s.Names(), ",")
}
