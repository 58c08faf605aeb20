//go:build unix

package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// C8: whatever lies where a file should be, nothing hangs, and it is told.
func TestOddFiles(t *testing.T) {
	t.Parallel()
	valid := profileTOML("x")
	for _, tt := range []struct {
		name string
		make func(path string) error
		want string // "" for no error
	}{
		{"symbolic link to a file", func(path string) error {
			other := filepath.Join(filepath.Dir(filepath.Dir(path)), "elsewhere")
			if err := os.WriteFile(other, []byte(valid), 0o644); err != nil {
				return err
			}
			return os.Symlink(other, path)
		}, ""},
		{"dangling link", func(path string) error { return os.Symlink(path+".none", path) }, "there is no such file"},
		{"link to itself", func(path string) error { return os.Symlink(path, path) }, "too many levels of symbolic links"},
		{"link to a directory", func(path string) error { return os.Symlink("/", path) }, "it is a directory, not a regular file"},
		{"link to a device", func(path string) error { return os.Symlink("/dev/zero", path) }, "it is a device, not a regular file"},
		{"directory", func(path string) error { return os.Mkdir(path, 0o755) }, "it is a directory, not a regular file"},
		{"pipe", func(path string) error { return syscall.Mkfifo(path, 0o644) }, "it is a named pipe, not a regular file"},
		{"larger than 1 MiB", func(path string) error {
			return os.WriteFile(path, []byte(valid+strings.Repeat("#\n", 1<<19)), 0o644)
		}, "it is larger than 1048576 bytes"},
		{"1 GB", func(path string) error {
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				return err
			}
			return os.Truncate(path, 1<<30)
		}, "it is larger than 1048576 bytes"},
		{"empty", func(path string) error { return os.WriteFile(path, nil, 0o644) }, "name is missing"},
		{"invalid UTF-8", func(path string) error { return os.WriteFile(path, []byte("name = 'x\xff'"), 0o644) }, "invalid UTF-8: byte 0xff"},
		{"nested deeply", func(path string) error {
			return os.WriteFile(path, []byte("a = "+strings.Repeat("[", 100_000)), 0o644)
		}, "nested more than"},
		{"CRLF and byte order mark", func(path string) error {
			return os.WriteFile(path, []byte("\xef\xbb\xbf"+strings.ReplaceAll(valid, "\n", "\r\n")), 0o644)
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := files{"profiles/README": ""}.write(t)
			if err := tt.make(filepath.Join(dir, "profiles", "x.toml")); err != nil {
				t.Fatal(err)
			}
			c, problems := Load(dir)
			got := strings.Join(told(dir, problems.Errors), "\n")
			if _, ok := c.Profile("x"); ok != (tt.want == "") || !strings.Contains(got, tt.want) || (tt.want == "") != (got == "") {
				t.Errorf("profile there %v, told %q, want %q", ok, got, tt.want)
			}
		})
	}
}

// C6: what cannot be read stops everything, a directory too.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := files{"profiles/x.toml": profileTOML("x"), "rules/r.toml": ruleTOML("r", "to = ['a.example']", "", true)}.write(t)
	for _, name := range []string{"profiles/x.toml", "rules"} {
		if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "rules"), 0o755) })
	_, problems := Load(dir)
	wantAll(t, told(dir, problems.Errors), "profiles/x.toml: it cannot be read: permission denied", "rules: it cannot be read: permission denied")
}

func TestNoDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, problems := Load(filepath.Join(dir, "none"))
	wantAll(t, told(dir, problems.Errors), "none: the configuration directory cannot be read: there is no such file")
	if err := os.WriteFile(filepath.Join(dir, "rules"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, problems = Load(dir)
	wantAll(t, told(dir, problems.Errors), "rules: not a directory")
}

// C9: what everybody can change is warned of.
func TestWorldWritable(t *testing.T) {
	t.Parallel()
	dir := files{"profiles/x.toml": profileTOML("x")}.write(t)
	for _, name := range []string{"", "profiles", "profiles/x.toml", "sendctl.toml"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	_, problems := Load(dir)
	wantAll(t, told(dir, problems.Errors))
	wantAll(t, told(dir, problems.Warnings),
		"every user of this machine can change it (mode 0777) [chmod o-w DIR]", "profiles: every user", "profiles/x.toml: every user", "sendctl.toml: every user")
}

// credentials writes a certificate and its key, and gives their PEM.
func credentials(t *testing.T, notAfter time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotBefore: notAfter.Add(-time.Hour), NotAfter: notAfter,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// C9: client certificates and their keys.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	now := time.Now()
	cert, key := credentials(t, now.Add(time.Minute))
	expired, expiredKey := credentials(t, now.Add(-time.Minute))
	_, otherKey := credentials(t, now.Add(time.Minute))
	encrypted := []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	legacy := []byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n")
	for _, tt := range []struct {
		name      string
		cert, key []byte
		mode      os.FileMode
		err, warn string
	}{
		{"good", cert, key, 0o600, "", ""},
		{"good, read-only", cert, key, 0o400, "", ""},
		{"readable by others", cert, key, 0o644, "tls.client_key: DIR/profiles/client.key can be read or changed by others (mode 0644) [chmod 600 DIR/profiles/client.key]", ""},
		{"writable by others", cert, key, 0o602, "can be read or changed by others", ""},
		{"another's key", cert, otherKey, 0o600, "tls.client_key: client.pem and client.key: private key does not match public key", ""},
		{"encrypted", cert, encrypted, 0o600, "client.key is encrypted with a passphrase, which nobody is there to type [openssl pkey -in client.key -out KEY", ""},
		{"encrypted, the old way", cert, legacy, 0o600, "is encrypted with a passphrase", ""},
		{"no key", cert, cert, 0o600, "client.pem and client.key: ", ""},
		{"no certificate", key, key, 0o600, "client.pem and client.key: ", ""},
		{"no PEM", []byte("x"), key, 0o600, "client.pem and client.key: ", ""},
		{"expired", expired, expiredKey, 0o600, "", "profiles/x.toml:5:22: tls.client_certificate has expired on "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := files{"profiles/x.toml": profileTOML("x", `client_certificate = "client.pem"`, `client_key = "client.key"`), "profiles/client.pem": string(tt.cert)}.write(t)
			path := filepath.Join(dir, "profiles", "client.key")
			if err := os.WriteFile(path, tt.key, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			c, problems := Load(dir)
			if p, ok := c.Profile("x"); ok != (tt.err == "") || ok && (p.Client == nil || len(p.Client.ID) != 64 || string(p.Client.Key) != string(tt.key)) {
				t.Errorf("profile there: %v", ok)
			}
			for _, s := range append(told(dir, problems.Errors), told(dir, problems.Warnings)...) {
				if strings.Contains(s, strings.Split(string(key), "\n")[1]) {
					t.Errorf("the key is told: %s", s)
				}
			}
			if tt.err != "" {
				wantAll(t, told(dir, problems.Errors), "profiles/x.toml:6:14: ")
				if got := told(dir, problems.Errors)[0]; !strings.Contains(got, tt.err) {
					t.Errorf("got %s\nwant %s", got, tt.err)
				}
			}
			if tt.warn != "" {
				wantAll(t, told(dir, problems.Warnings), tt.warn)
			}
		})
	}
}

func TestCAFile(t *testing.T) {
	t.Parallel()
	cert, key := credentials(t, time.Now().Add(time.Hour))
	expired, _ := credentials(t, time.Now().Add(-time.Hour))
	for _, tt := range []struct{ name, content, err, warn string }{
		{"good", string(cert), "", ""},
		{"with text, a key and an expired one", "Subject: x\n" + string(key) + string(expired) + string(cert), "", ""},
		{"all expired", string(expired), "", "every certificate in ca.pem has expired"},
		{"none", "hello", "tls.ca_file: ca.pem holds no PEM certificate", ""},
		{"a key only", string(key), "ca.pem holds no PEM certificate", ""},
		{"broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "its PEM block 1 is no certificate", ""},
		{"missing", "", "DIR/profiles/ca.pem: there is no such file [the name is relative to DIR/profiles]", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := files{"profiles/x.toml": profileTOML("x", `certificate = "custom"`, `ca_file = "ca.pem"`)}
			if tt.content != "" {
				f["profiles/ca.pem"] = tt.content
			}
			dir := f.write(t)
			c, problems := Load(dir)
			p, ok := c.Profile("x")
			if tt.err != "" {
				wantAll(t, told(dir, problems.Errors), tt.err)
				if ok {
					t.Error("the profile can be used")
				}
				return
			}
			wantAll(t, told(dir, problems.Errors))
			if p.Roots == nil || p.Roots.Name != "ca.pem" || len(p.Roots.ID) != 64 || strings.Contains(string(p.Roots.PEM), "PRIVATE") {
				t.Errorf("roots %+v", p.Roots)
			}
			if !x509.NewCertPool().AppendCertsFromPEM(p.Roots.PEM) {
				t.Error("no certificates in the roots")
			}
			if tt.warn != "" {
				wantAll(t, told(dir, problems.Warnings), tt.warn)
			}
		})
	}
}

// C9: a key of another user.
func TestClientKeyOfAnother(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	cert, key := credentials(t, time.Now().Add(time.Hour))
	dir := files{"profiles/x.toml": profileTOML("x", `client_certificate = "client.pem"`, `client_key = "client.key"`), "profiles/client.pem": string(cert)}.write(t)
	path := filepath.Join(dir, "profiles", "client.key")
	if err := os.WriteFile(path, key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	_, problems := Load(dir)
	wantAll(t, told(dir, problems.Errors))
	wantAll(t, told(dir, problems.Warnings), "profiles/x.toml:6:14: tls.client_key: DIR/profiles/client.key belongs to another user (uid 12345) [chown it")
}
