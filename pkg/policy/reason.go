package policy

// Reason names why a recipient did not get its mail, or not yet: a closed set. The names
// of TLS failures follow RFC 8460 §4.3 where it has one. The zero value means that nothing is wrong.
type Reason string

// Category groups reasons by who or what stood in the way.
type Category string

// The categories.
const (
	CategoryTLS     Category = "tls"
	CategoryAddress Category = "address"
	CategoryDNS     Category = "dns"
	CategoryNetwork Category = "network"
	CategoryServer  Category = "server"
	CategoryLocal   Category = "local"
)

// The reasons, by category.
const (
	StartTLSNotSupported   Reason = "starttls-not-supported"
	StartTLSRefused        Reason = "starttls-refused"
	TLSVersionMismatch     Reason = "tls-version-mismatch"
	TLSCipherMismatch      Reason = "tls-cipher-mismatch"
	TLSHandshakeFailed     Reason = "tls-handshake-failed"
	StartTLSInjection      Reason = "starttls-injection"
	CertificateExpired     Reason = "certificate-expired"
	CertificateHost        Reason = "certificate-host-mismatch"
	CertificateNotTrusted  Reason = "certificate-not-trusted"
	TLSAInvalid            Reason = "tlsa-invalid"
	DNSSECInvalid          Reason = "dnssec-invalid"
	DANERequired           Reason = "dane-required"
	STSPolicyInvalid       Reason = "sts-policy-invalid"
	STSMXMismatch          Reason = "sts-mx-mismatch"
	STSWebPKIInvalid       Reason = "sts-webpki-invalid"
	RequireTLSNotSupported Reason = "requiretls-not-supported"

	NoSuchDomain      Reason = "no-such-domain"
	NullMX            Reason = "null-mx"
	NoMailHost        Reason = "no-mail-host"
	MailLoop          Reason = "mail-loop"
	RecipientRejected Reason = "recipient-rejected"

	DNSFailure Reason = "dns-failure"

	ConnectFailed  Reason = "connect-failed"
	ConnectTimeout Reason = "connect-timeout"
	ConnectionLost Reason = "connection-lost"
	ProtocolError  Reason = "protocol-error"

	Greylisted      Reason = "greylisted"
	Throttled       Reason = "throttled"
	MailboxFull     Reason = "mailbox-full"
	MessageTooLarge Reason = "message-too-large"
	PolicyRejected  Reason = "policy-rejected"
	ContentRejected Reason = "content-rejected"
	SenderRejected  Reason = "sender-rejected"
	ServerRejected  Reason = "server-rejected"
	ServerDeferred  Reason = "server-deferred"

	EightBitNotSupported Reason = "eight-bit-not-supported"
	SMTPUTF8NotSupported Reason = "smtputf8-not-supported"
	Expired              Reason = "expired"
	Cancelled            Reason = "cancelled"
)

var categories = map[Reason]Category{
	StartTLSNotSupported: CategoryTLS, StartTLSRefused: CategoryTLS, TLSVersionMismatch: CategoryTLS,
	TLSCipherMismatch: CategoryTLS, TLSHandshakeFailed: CategoryTLS, StartTLSInjection: CategoryTLS,
	CertificateExpired: CategoryTLS, CertificateHost: CategoryTLS, CertificateNotTrusted: CategoryTLS,
	TLSAInvalid: CategoryTLS, DNSSECInvalid: CategoryTLS, DANERequired: CategoryTLS,
	STSPolicyInvalid: CategoryTLS, STSMXMismatch: CategoryTLS, STSWebPKIInvalid: CategoryTLS,
	RequireTLSNotSupported: CategoryTLS,
	NoSuchDomain:           CategoryAddress, NullMX: CategoryAddress, NoMailHost: CategoryAddress,
	MailLoop: CategoryAddress, RecipientRejected: CategoryAddress,
	DNSFailure:    CategoryDNS,
	ConnectFailed: CategoryNetwork, ConnectTimeout: CategoryNetwork,
	ConnectionLost: CategoryNetwork, ProtocolError: CategoryNetwork,
	Greylisted: CategoryServer, Throttled: CategoryServer, MailboxFull: CategoryServer,
	MessageTooLarge: CategoryServer, PolicyRejected: CategoryServer, ContentRejected: CategoryServer,
	SenderRejected: CategoryServer, ServerRejected: CategoryServer, ServerDeferred: CategoryServer,
	EightBitNotSupported: CategoryLocal, SMTPUTF8NotSupported: CategoryLocal,
	Expired: CategoryLocal, Cancelled: CategoryLocal,
}

// Category is the reason's category, "" for the zero reason and for names outside the set.
func (r Reason) Category() Category { return categories[r] }

// Reasons lists the closed set, unordered.
func Reasons() []Reason {
	out := make([]Reason, 0, len(categories))
	for r := range categories {
		out = append(out, r)
	}
	return out
}
