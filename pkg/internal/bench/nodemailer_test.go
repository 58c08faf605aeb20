//go:build peers && linux

package bench

import (
	"context"
	_ "embed"
	"os"
	"path/filepath"
	"strconv"
)

//go:embed testdata/nodemailer.js
var nodemailerScript []byte

// nodemailerPool is nodemailer's pool of connections, which reads the files and keeps no record.
func nodemailerPool(ctx context.Context, t *trial) (usage, error) {
	script := filepath.Join(t.dir, "send.js")
	if err := os.WriteFile(script, nodemailerScript, 0o644); err != nil {
		return usage{}, err
	}
	c := command(ctx, "node", script, t.batch.dir, strconv.Itoa(t.batch.messages), strconv.Itoa(t.batch.domains),
		strconv.Itoa(t.host.Port), strconv.Itoa(t.connections), sender)
	c.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(t.nodemailer, "node_modules"))
	return measure(c)
}
