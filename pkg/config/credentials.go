package config

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// maxPEM bounds a file of certificates; a whole trust store with its comments is about 1 MB.
const maxPEM = 8 << 20

// certificate reads what is demanded of the server's certificate, and the roots that custom names.
func (l *loader) certificate(tls table, p *Profile) {
	fallback := policy.CertificateDefault
	if p.Mode == policy.ModeOpportunistic {
		fallback = policy.CertificateNone
	}
	p.Certificate = policy.Certificate(tls.choice("certificate", string(fallback),
		string(policy.CertificateNone), string(policy.CertificateDefault), string(policy.CertificateCustom)))
	custom := tls.m["certificate"] == string(policy.CertificateCustom)
	switch {
	case custom && !tls.has("ca_file"):
		tls.errorAt(tls.doc.Value(tls.at("certificate")...), `write ca_file = "partner-ca.pem" below it`,
			"tls.certificate: custom needs tls.ca_file, the roots to trust")
	case !custom && tls.has("ca_file"):
		tls.errorAt(tls.doc.Key(tls.at("ca_file")...), `write certificate = "custom", or remove ca_file`,
			"tls.ca_file is used with certificate = \"custom\" only")
	case custom:
		p.CAFile = tls.text("ca_file")
		p.Roots = l.roots(tls, p.CAFile)
	}
}

// beside is a file that a profile names, relative to the profile's own.
func (t table) beside(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(filepath.Dir(t.file), name)
}

// credential reads a file that a key names; false where it cannot, which is reported.
func (t table) credential(key, name string) (content, bool) {
	if name == "" {
		if t.m[key] == "" {
			t.valuef("name the file, relative to this one", t.at(key), "the name is empty")
		}
		return content{}, false
	}
	path := t.beside(name)
	c, err := readFile(path, maxPEM)
	if err != nil {
		text, hint := why(err)
		if errors.Is(err, fs.ErrNotExist) {
			hint = "the name is relative to " + mail.Clean(filepath.Dir(t.file))
		}
		t.valuef(hint, t.at(key), "%s: %s", mail.Clean(path), text)
		t.elsewhere()
		return content{}, false
	}
	return c, true
}

// roots reads the certificates of a ca_file; everything else in it is left behind, so that a
// key that somebody put there never travels on.
func (l *loader) roots(t table, name string) *policy.Roots {
	c, ok := t.credential("ca_file", name)
	if !ok {
		return nil
	}
	var certs []byte
	valid := 0
	for n, block := range blocks(c.data) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.valuef("", t.at("ca_file"), "%s: its PEM block %d is no certificate: %v", mail.Clean(name), n+1, err)
			t.elsewhere()
			return nil
		}
		if l.now.Before(cert.NotAfter) {
			valid++
		}
		certs = append(certs, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
	}
	if certs == nil {
		t.valuef("-----BEGIN CERTIFICATE----- begins one; openssl x509 -inform der turns DER into PEM", t.at("ca_file"), "%s holds no PEM certificate", mail.Clean(name))
		t.elsewhere()
		return nil
	}
	if valid == 0 {
		t.warnAt(t.doc.Value(t.at("ca_file")...), "get the current ones", "tls.ca_file: every certificate in %s has expired", mail.Clean(name))
	}
	sum := sha256.Sum256(certs)
	return &policy.Roots{ID: hex.EncodeToString(sum[:]), Name: name, PEM: certs}
}

func blocks(data []byte) []*pem.Block {
	var out []*pem.Block
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return out
		}
		out, data = append(out, block), rest
	}
}

// clientCertificate reads the certificate and key that the profile presents to servers.
func (l *loader) clientCertificate(t table, p *Profile) {
	p.ClientCertificateFile, p.ClientKeyFile = t.text("client_certificate"), t.text("client_key")
	for _, pair := range [][2]string{{"client_certificate", "client_key"}, {"client_key", "client_certificate"}} {
		if t.has(pair[0]) && !t.has(pair[1]) {
			t.errorAt(t.doc.Key(t.at(pair[0])...), "write "+pair[1]+" = \"client.pem\" beside it", "tls.%s needs tls.%s", pair[0], pair[1])
			return
		}
	}
	if !t.has("client_key") {
		return
	}
	cert, certOK := t.credential("client_certificate", p.ClientCertificateFile)
	key, keyOK := t.credential("client_key", p.ClientKeyFile)
	if keyOK {
		keyOK = t.guarded(key, p.ClientKeyFile)
	}
	if certOK && keyOK {
		p.Client = l.pair(t, p, cert.data, key.data)
	}
}

// guarded reports a key that others than its owner can read (C9). The group may where root
// owns the file, which is how systems hand keys to services.
func (t table) guarded(key content, name string) bool {
	path := t.beside(name)
	mode := key.info.Mode().Perm()
	owner, known := ownerOf(key.info)
	allowed := fs.FileMode(0o600)
	if known && owner == 0 {
		allowed = 0o640
	}
	if mode&^(allowed|0o100) != 0 && hasModes {
		t.valuef("chmod 600 "+shellQuote(path), t.at("client_key"), "%s can be read or changed by others (mode %04o)", mail.Clean(path), mode)
		t.elsewhere()
		return false
	}
	if !known || owner == 0 || owner == currentUser() {
		return true
	}
	const hint = "chown it to the user that sendctl runs as"
	if currentUser() == 0 {
		// Root may check what a service's user owns.
		t.warnAt(t.doc.Value(t.at("client_key")...), hint, "tls.client_key: %s belongs to another user (uid %d)", mail.Clean(path), owner)
		return true
	}
	t.valuef(hint, t.at("client_key"), "%s belongs to another user (uid %d)", mail.Clean(path), owner)
	t.elsewhere()
	return false
}

// pair joins certificate and key.
func (l *loader) pair(t table, p *Profile, cert, key []byte) *policy.ClientCertificate {
	for _, block := range blocks(key) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			t.valuef("openssl pkey -in "+shellQuote(p.ClientKeyFile)+" -out KEY writes it without", t.at("client_key"),
				"%s is encrypted with a passphrase, which nobody is there to type", mail.Clean(p.ClientKeyFile))
			t.elsewhere()
			return nil
		}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		what := strings.TrimPrefix(err.Error(), "tls: ")
		t.valuef("", t.at("client_key"), "%s and %s: %s", mail.Clean(p.ClientCertificateFile), mail.Clean(p.ClientKeyFile), what)
		t.elsewhere()
		return nil
	}
	if leaf := pair.Leaf; l.now.After(leaf.NotAfter) {
		t.warnDate("has expired on", leaf.NotAfter)
	} else if l.now.Before(leaf.NotBefore) {
		t.warnDate("is not valid before", leaf.NotBefore)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s%s", len(cert), cert, key))
	return &policy.ClientCertificate{ID: hex.EncodeToString(sum[:]), Cert: cert, Key: key}
}

func (t table) warnDate(what string, day time.Time) {
	t.warnAt(t.doc.Value(t.at("client_certificate")...), "servers may refuse it; renew it",
		"tls.client_certificate %s %s", what, day.UTC().Format(time.DateOnly))
}

// shellQuote quotes a path for the command lines in hints.
func shellQuote(path string) string {
	path = mail.Clean(path)
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
