package delivery

import (
	"slices"
	"strings"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Advice is what the sender of an outcome's message should do: one short sentence for people
// who know nothing of mail servers, "" where there is nothing to say (delivered, queued, or a
// reason outside the closed set).
func Advice(o Outcome) string {
	switch o.Status {
	case Delivered, Queued:
		return ""
	case InDoubt:
		return "Nothing to do: it is sent again, since nobody knows whether it arrived; it may arrive twice."
	case Held:
		if o.Reason == "" {
			return "Release it or cancel it."
		}
	case Deferred:
		if s, ok := meanwhile[o.Reason]; ok {
			return s
		}
		return "Nothing to do yet: it will be tried again."
	case Bounced, Cancelled:
		if wantsTLS(o) {
			return "Send again under a profile that encrypts: the recipient's mail server takes nothing else."
		}
	}
	return todo[o.Reason]
}

// wantsTLS reports that a server refused because it was spoken to in clear (RFC 3207 §4).
func wantsTLS(o Outcome) bool {
	if o.Reason != policy.PolicyRejected || o.Session == nil || o.Session.Protection.Encrypted {
		return false
	}
	text := plain(o.Reply.Lines)
	return slices.ContainsFunc(tlsDemanded, func(w string) bool { return hasWords(text, w) })
}

// meanwhile is what to do while a recipient is deferred, where waiting alone may not help.
var meanwhile = map[policy.Reason]string{
	policy.Greylisted:            "Nothing to do: the recipient's mail server takes mail from new senders only at a later try, which will follow.",
	policy.MailboxFull:           "Tell the recipient by other means that the mailbox is full; it will be tried again.",
	policy.PolicyRejected:        "Show the server's words to your mail administrator; it will be tried again.",
	policy.SenderRejected:        "Check the sender address and its domain; it will be tried again.",
	policy.StartTLSInjection:     "Tell your mail administrator that someone may be tampering with the connection; it will be tried again.",
	policy.StartTLSNotSupported:  "Ask the recipient's provider to enable TLS on its mail server; it will be tried again.",
	policy.TLSVersionMismatch:    "Ask the recipient's provider which TLS versions its mail server supports; it will be tried again.",
	policy.TLSCipherMismatch:     "Ask the recipient's provider to support current TLS ciphers; it will be tried again.",
	policy.CertificateExpired:    "Ask the recipient's provider to renew the certificate of its mail server; it will be tried again.",
	policy.CertificateHost:       "Ask the recipient's provider for a certificate with its mail server's name; it will be tried again.",
	policy.CertificateNotTrusted: "Ask the recipient's provider for a certificate of a recognised authority; it will be tried again.",
}

// todo is what to do when it is final.
var todo = map[policy.Reason]string{
	policy.StartTLSNotSupported:   "Ask the recipient's provider to enable TLS on its mail server, or use another way; do not resend in clear.",
	policy.StartTLSRefused:        "Ask the recipient's provider why its mail server refuses TLS, or use another way; do not resend in clear.",
	policy.TLSVersionMismatch:     "Ask the recipient's provider to support the TLS versions that your profile and rules allow, or use another way.",
	policy.TLSCipherMismatch:      "Ask the recipient's provider to support the TLS ciphers that your profile and rules allow, or use another way.",
	policy.TLSHandshakeFailed:     "Ask the recipient's provider to check TLS on its mail server, or use another way; do not resend in clear.",
	policy.StartTLSInjection:      "Do not resend: someone may be tampering with the connection; tell your mail administrator.",
	policy.CertificateExpired:     "Ask the recipient's provider to renew the certificate of its mail server, then send again.",
	policy.CertificateHost:        "Ask the recipient's provider for a certificate that carries its mail server's name, then send again.",
	policy.CertificateNotTrusted:  "Ask the recipient's provider for a certificate that a recognised authority issued, then send again.",
	policy.TLSAInvalid:            "Tell the recipient's provider that its mail server's certificate is not the one that its domain announces.",
	policy.DNSSECInvalid:          "Tell the recipient's provider that the signatures on its domain's entries are broken.",
	policy.DANERequired:           "Ask the recipient's provider to have its domain announce the certificate of its mail server.",
	policy.STSPolicyInvalid:       "Tell the recipient's provider that the mail security policy of its domain is faulty.",
	policy.STSMXMismatch:          "Tell the recipient's provider that its mail server is missing from the mail security policy of its domain.",
	policy.STSWebPKIInvalid:       "Tell the recipient's provider that the web server with its mail security policy has no valid certificate.",
	policy.RequireTLSNotSupported: "Use another way: the recipient's mail server cannot promise to keep the message encrypted when it passes it on.",

	policy.NoSuchDomain:      "Check the address: the part after the @ does not exist.",
	policy.NullMX:            "Use another address: the recipient's domain takes no mail at all.",
	policy.NoMailHost:        "Check the part of the address after the @; if it is right, tell the recipient that its mail server is missing.",
	policy.MailLoop:          "Tell the recipient's provider that its domain names no mail server that can be reached from the Internet.",
	policy.RecipientRejected: "Check the address for typing errors, or ask the recipient for the present one.",

	policy.DNSFailure:     "Tell the recipient's provider that its domain cannot be looked up, and send again later.",
	policy.ConnectFailed:  "Tell the recipient's provider that its mail server cannot be reached, and send again later.",
	policy.ConnectTimeout: "Tell the recipient's provider that its mail server does not answer, and send again later.",
	policy.ConnectionLost: "Tell the recipient's provider that its mail server breaks off, and send again later.",
	policy.ProtocolError:  "Tell the recipient's provider that its mail server gives faulty answers, and send again later.",

	policy.Greylisted:      "Send again: the recipient's mail server takes mail from new senders only at a later try.",
	policy.Throttled:       "Send again later, and to fewer recipients at a time.",
	policy.MailboxFull:     "Tell the recipient by other means that the mailbox is full, then send again.",
	policy.MessageTooLarge: "Make the message smaller, or hand over large files in another way.",
	policy.PolicyRejected:  "Show the server's words to your mail administrator: the recipient's provider does not take this mail from you.",
	policy.ContentRejected: "Change text or attachments, or ask the recipient to have them let through.",
	policy.SenderRejected:  "Check the sender address and its domain: the recipient's mail server does not accept them.",
	policy.ServerRejected:  "Read the server's words; if they do not help, show them to your mail administrator.",
	policy.ServerDeferred:  "Send again later.",

	policy.EightBitNotSupported: "Have the message written in a form for older mail servers, or use another address.",
	policy.SMTPUTF8NotSupported: "Use addresses without special letters: the recipient's mail server does not know them.",
	policy.Expired:              "Reach the recipient by other means, or send again later.",
	policy.Cancelled:            "Send again if it is still needed.",
}

// Explain words one attempt for people, with the host it was about:
// "mx1.example.com [192.0.2.1] offers no TLS (no STARTTLS in its answer to EHLO)". The
// attempt's own text is used where it has one. The result is clean (mail.Clean).
func Explain(a Attempt) string {
	subject := "the recipient's domain"
	switch {
	case a.MX != "" && a.IP != "":
		subject = a.MX + " [" + a.IP + "]"
	case a.MX != "" || a.IP != "":
		subject = a.MX + a.IP
	}
	if a.Text != "" {
		if a.MX+a.IP == "" || strings.Contains(a.Text, subject) || a.MX != "" && strings.Contains(a.Text, a.MX) {
			return mail.Clean(a.Text)
		}
		return mail.Clean(subject + ": " + a.Text)
	}
	did, ok := happened[a.Reason]
	if !ok {
		did = "answered"
	}
	if a.Reply.IsZero() {
		return mail.Clean(subject + " " + did)
	}
	return mail.Clean(subject + " " + did + ": " + a.Reply.String())
}

// happened is what a host, or the domain where there is none, did.
var happened = map[policy.Reason]string{
	policy.StartTLSNotSupported:   "offers no TLS (no STARTTLS in its answer to EHLO)",
	policy.StartTLSRefused:        "offers TLS but refused to start it",
	policy.TLSVersionMismatch:     "speaks no TLS version that is allowed",
	policy.TLSCipherMismatch:      "speaks no TLS cipher that is allowed",
	policy.TLSHandshakeFailed:     "failed in the TLS handshake",
	policy.StartTLSInjection:      "sent more than its answer to STARTTLS, as an attacker would",
	policy.CertificateExpired:     "has an expired certificate",
	policy.CertificateHost:        "has a certificate for other names",
	policy.CertificateNotTrusted:  "has a certificate that is not trusted",
	policy.TLSAInvalid:            "has a certificate that does not match its TLSA records",
	policy.DNSSECInvalid:          "has DNS records whose signatures are not valid",
	policy.DANERequired:           "has no usable TLSA records, which are required",
	policy.STSPolicyInvalid:       "has an MTA-STS policy that is not valid",
	policy.STSMXMismatch:          "is not among the hosts of the domain's MTA-STS policy",
	policy.STSWebPKIInvalid:       "has an MTA-STS policy whose web server has no valid certificate",
	policy.RequireTLSNotSupported: "does not support REQUIRETLS",

	policy.NoSuchDomain:      "does not exist",
	policy.NullMX:            "takes no mail (null MX)",
	policy.NoMailHost:        "has no mail host with an address",
	policy.MailLoop:          "has only private or loopback addresses for its mail hosts",
	policy.RecipientRejected: "refused the recipient",

	policy.DNSFailure:     "could not be looked up in DNS",
	policy.ConnectFailed:  "could not be reached",
	policy.ConnectTimeout: "did not answer in time",
	policy.ConnectionLost: "closed the connection",
	policy.ProtocolError:  "does not speak proper SMTP",

	policy.Greylisted:      "takes mail from new senders only at a later try",
	policy.Throttled:       "takes no more mail for now",
	policy.MailboxFull:     "says that the mailbox is full",
	policy.MessageTooLarge: "does not take messages of this size",
	policy.PolicyRejected:  "refused by its policy",
	policy.ContentRejected: "refused the content",
	policy.SenderRejected:  "refused the sender",
	policy.ServerRejected:  "refused",
	policy.ServerDeferred:  "refused for now",

	policy.EightBitNotSupported: "takes no 8-bit content (no 8BITMIME)",
	policy.SMTPUTF8NotSupported: "takes no addresses or header fields in UTF-8 (no SMTPUTF8)",
	policy.Expired:              "did not take the message in the time allowed",
	policy.Cancelled:            "was not asked any more, since the message was cancelled",
}
