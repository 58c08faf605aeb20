// Package mail holds the words of mail: address, envelope, message, reply and status.
//
// It knows RFC 5321 and RFC 5322 syntax and nothing of networks, files, time or policy.
package mail

// Address is a mailbox (RFC 5321 §4.1.2). Local is the local part without quotes,
// Domain the domain in lower-case A-labels without a final dot. The zero value is the
// null reverse-path <>. Addresses are comparable.
type Address struct {
	Local, Domain string
}

// IsNull reports the null reverse-path.
func (a Address) IsNull() bool { return a == Address{} }

// Envelope is what MAIL and RCPT say (RFC 5321 §2.3.1).
type Envelope struct {
	ReversePath Address
	Recipients  []Address
}
