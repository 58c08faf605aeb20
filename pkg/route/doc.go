// Package route finds where the mail of a domain goes: its MX hosts, their addresses and their TLSA records, each with the authentic-data bit.
//
// It is the door to the DNS and nothing else passes through it. A [Resolver] is a stub: it
// asks the recursive resolvers that it was given, always by full name and never through a
// search list, and keeps what they said for as long as they allowed.
//
// The order of calls is that of RFC 5321 §5.1: [Resolver.Lookup] turns a recipient domain
// into a [Route], a list of hosts by preference, [Resolver.Addresses] turns one host into IP
// addresses, [Prohibited] says which of these no mail host on the internet can have, and
// [Resolver.TLSA] asks for the host's keys where the addresses were authentic (RFC 7672 §2.2).
//
// # What counts as an answer
//
// A domain is only ever declared dead by NXDOMAIN or by NODATA (RFC 2308 §2) from a server
// that claims recursion or authority. Everything else (SERVFAIL, REFUSED, silence, a
// referral, garbage, an alias loop) is an [*Error] of kind [Temporary] and says nothing
// about the domain. In particular no failure of an MX lookup leads to the implicit MX.
//
// # The authentic-data bit
//
// The AD bit (RFC 4035 §3.2.3) is the word of the resolver, over a network that may lie.
// It is believed from a resolver at a loopback address, or from every configured one with
// Options.TrustAD. Where some servers are believed and some are not, TLSA questions go to
// the believed ones alone, so that silencing the local resolver cannot undo DANE.
//
// # Limits
//
// A hostile domain costs time, not memory: names and counts in a message are bounded by the
// wire format, [MaxRecords] of an answer are used, aliases are followed [MaxAliases] times,
// and the cache is bounded in entries and in the size of each.
package route
