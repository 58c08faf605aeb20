package tlsnames

import "fmt"

// Group is a key exchange group's number (IANA TLS Supported Groups registry).
type Group uint16

// String is the IANA name ("x25519", "secp256r1", "X25519MLKEM768"), "" for zero (RSA key
// exchange has no group), hexadecimal for what is unknown.
func (g Group) String() string {
	if g == 0 {
		return ""
	}
	for _, k := range groups {
		if k.id == g {
			return k.iana
		}
	}
	return fmt.Sprintf("0x%04x", uint16(g))
}

// Alert is a TLS alert's number (RFC 8446 §6, IANA TLS Alerts registry).
type Alert uint8

// Definitive reports whether the alert says for certain that this peer and this offer
// will never agree, so that another try would be answered alike. Every other alert may
// be a passing fault.
func (a Alert) Definitive() bool {
	switch a {
	case 40, 42, 43, 44, 45, 46, 48, 49, 70, 71, 86, 116, 120:
		return true
	}
	return false
}

// String is the registry's name, such as "handshake_failure".
func (a Alert) String() string {
	if int(a) < len(alertNames) && alertNames[a] != "" {
		return alertNames[a]
	}
	return fmt.Sprintf("alert %d", uint8(a))
}

var alertNames = [...]string{
	0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed",
	22: "record_overflow", 30: "decompression_failure", 40: "handshake_failure", 41: "no_certificate",
	42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired",
	46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied",
	50: "decode_error", 51: "decrypt_error", 60: "export_restriction", 70: "protocol_version",
	71: "insufficient_security", 80: "internal_error", 86: "inappropriate_fallback", 90: "user_canceled",
	100: "no_renegotiation", 109: "missing_extension", 110: "unsupported_extension",
	111: "certificate_unobtainable", 112: "unrecognized_name", 113: "bad_certificate_status_response",
	114: "bad_certificate_hash_value", 115: "unknown_psk_identity", 116: "certificate_required",
	117: "general_error", 120: "no_application_protocol",
}
