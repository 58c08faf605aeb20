// Package mtasts fetches MTA-STS policies (RFC 8461): a domain's word on which of its mail hosts are real and that TLS to them must verify.
//
// ParseRecord reads the TXT record that says that there is a policy, ParsePolicy the policy
// itself, strictly: what is not valid is no policy. Fetcher.Fetch does all of it for a domain.
// Lookups and the dialer are values, so that everything can run against a test's own network.
//
// The policy belongs to the recipient domain as it is written: neither aliases nor parent
// domains are followed (RFC 8461 §3.1). Nothing is kept here.
package mtasts
