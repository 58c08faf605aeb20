package tlsnames

// groups is every named group worth asking about (IANA TLS Supported Groups registry): those
// of Go's TLS first.
var groups = [...]struct {
	id     Group
	iana   string
	usable bool
}{
	{4588, "X25519MLKEM768", true},
	{4587, "SecP256r1MLKEM768", true},
	{4589, "SecP384r1MLKEM1024", true},
	{29, "x25519", true},
	{23, "secp256r1", true},
	{24, "secp384r1", true},
	{25, "secp521r1", true},
	{30, "x448", false},
	{512, "MLKEM512", false},
	{513, "MLKEM768", false},
	{514, "MLKEM1024", false},
	{25497, "X25519Kyber768Draft00", false},
	{256, "ffdhe2048", false},
	{257, "ffdhe3072", false},
	{258, "ffdhe4096", false},
	{259, "ffdhe6144", false},
	{260, "ffdhe8192", false},
	{26, "brainpoolP256r1", false},
	{27, "brainpoolP384r1", false},
	{28, "brainpoolP512r1", false},
	{31, "brainpoolP256r1tls13", false},
	{32, "brainpoolP384r1tls13", false},
	{33, "brainpoolP512r1tls13", false},
	{22, "secp256k1", false},
	{21, "secp224r1", false},
	{19, "secp192r1", false},
	{9, "sect283k1", false},
	{10, "sect283r1", false},
	{11, "sect409k1", false},
	{12, "sect409r1", false},
	{13, "sect571k1", false},
	{14, "sect571r1", false},
}

// Usable reports whether Go's TLS, and with it sendctl, can do key exchange in the group.
func (g Group) Usable() bool {
	for _, k := range groups {
		if k.id == g {
			return k.usable
		}
	}
	return false
}

// KnownGroups lists every group named here, those that Go's TLS can use first.
func KnownGroups() []Group {
	out := make([]Group, len(groups))
	for i, k := range groups {
		out[i] = k.id
	}
	return out
}

// PostQuantum reports a group whose key exchange holds against a quantum computer too: ML-KEM
// alone or together with a classical one.
func (g Group) PostQuantum() bool {
	switch g {
	case 512, 513, 514, 4587, 4588, 4589, 25497:
		return true
	}
	return false
}
