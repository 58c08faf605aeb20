package dsn

import "github.com/sendctl/sendctl/pkg/policy"

// plainly says what happened to people who know nothing of mail servers.
var plainly = map[policy.Reason]string{
	policy.StartTLSNotSupported:   "The receiving server could not establish a TLS (encrypted) connection: it does not offer one.",
	policy.StartTLSRefused:        "The receiving server could not establish a TLS (encrypted) connection: it refused to.",
	policy.TLSVersionMismatch:     "The receiving server could not establish a TLS (encrypted) connection of a version that is secure enough.",
	policy.TLSCipherMismatch:      "The receiving server could not establish a TLS (encrypted) connection with a cipher that is secure enough.",
	policy.TLSHandshakeFailed:     "The receiving server could not establish a TLS (encrypted) connection: the attempt failed.",
	policy.StartTLSInjection:      "The receiving server could not establish a TLS (encrypted) connection that can be trusted: somebody may be tampering with it.",
	policy.CertificateExpired:     "The receiving server could not establish a TLS (encrypted) connection that can be trusted: its certificate has expired.",
	policy.CertificateHost:        "The receiving server could not establish a TLS (encrypted) connection that can be trusted: its certificate is for another name.",
	policy.CertificateNotTrusted:  "The receiving server could not establish a TLS (encrypted) connection that can be trusted: nobody who is trusted vouches for its certificate.",
	policy.TLSAInvalid:            "The receiving server could not establish a TLS (encrypted) connection that can be trusted: its certificate is not the one that its domain announces.",
	policy.DNSSECInvalid:          "The receiving server could not be verified for a TLS (encrypted) connection: the signatures of its domain's entries are broken.",
	policy.DANERequired:           "The receiving server could not be verified for a TLS (encrypted) connection: its domain does not announce its certificate.",
	policy.STSPolicyInvalid:       "The receiving server could not be verified for a TLS (encrypted) connection: the mail security policy of its domain is faulty.",
	policy.STSMXMismatch:          "The receiving server could not be verified for a TLS (encrypted) connection: the mail security policy of its domain does not name it.",
	policy.STSWebPKIInvalid:       "The receiving server could not be verified for a TLS (encrypted) connection: the mail security policy of its domain cannot be trusted.",
	policy.RequireTLSNotSupported: "The receiving server does not promise to pass the message on over TLS (encrypted) connections only.",

	policy.NoSuchDomain:      "The address leads nowhere.",
	policy.NullMX:            "The address cannot receive mail.",
	policy.NoMailHost:        "There is no mail server for the part of the address after the @.",
	policy.MailLoop:          "The message would have gone round in circles.",
	policy.RecipientRejected: "The receiving server does not accept mail for this address.",

	policy.DNSFailure:     "The mail server for the part of the address after the @ could not be looked up.",
	policy.ConnectFailed:  "The receiving server could not be reached.",
	policy.ConnectTimeout: "The receiving server did not answer.",
	policy.ConnectionLost: "The connection to the receiving server broke off.",
	policy.ProtocolError:  "The receiving server gave faulty answers.",

	policy.Greylisted:      "The receiving server takes mail from new senders only at a later try.",
	policy.Throttled:       "The receiving server took no more mail.",
	policy.MailboxFull:     "The recipient's mailbox is full.",
	policy.MessageTooLarge: "The message is too large for the receiving server.",
	policy.PolicyRejected:  "The receiving server does not take this message by its own rules.",
	policy.ContentRejected: "The receiving server does not take this message because of its content.",
	policy.SenderRejected:  "The receiving server does not accept mail from your address.",
	policy.ServerRejected:  "The receiving server refused the message.",
	policy.ServerDeferred:  "The receiving server did not take the message.",

	policy.EightBitNotSupported: "The receiving server is too old for the letters in which the message is written.",
	policy.SMTPUTF8NotSupported: "The receiving server does not know the special letters in an address or in the head of the message.",
	policy.Expired:              "The message could not be delivered in the time that is allowed.",
	policy.Cancelled:            "The delivery was cancelled.",
}
