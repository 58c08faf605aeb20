//go:build linux

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// machine says on what the figures were measured, and with which versions.
func (s *suite) machine(ctx context.Context) string {
	parts := []string{
		fmt.Sprintf("%d cores%s", runtime.NumCPU(), processor()),
		"Linux " + kernel(),
		fileSystem(s.dir),
		"built with " + runtime.Version(),
	}
	if len(peers()) > 0 {
		parts = append(parts, "Postfix "+output(ctx, "postconf", "-h", "mail_version"))
	}
	if s.nodemailer != "" {
		parts = append(parts, "nodemailer "+s.nodemailerVersion()+" on Node.js "+output(ctx, "node", "--version"))
	}
	return strings.Join(parts, "; ") + fmt.Sprintf(". %d connections at most where nothing else is said; medians of %d rounds, least and most in brackets.\n", s.connections, s.rounds)
}

// processor is the model, as the kernel calls it.
func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return " (" + strings.TrimSpace(value) + ")"
		}
	}
	return ""
}

// kernel is its version, without what its builder added.
func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "of unknown version"
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(b)), "-")
	return version
}

// fileSystem is the kind of the one that a directory is on; the numbers are those of statfs(2).
func fileSystem(dir string) string {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return "unknown file system"
	}
	names := map[int64]string{0xEF53: "ext4", 0x58465342: "XFS", 0x9123683E: "Btrfs", 0x01021994: "tmpfs", 0x794C7630: "overlayfs", 0x2FC12FC1: "ZFS"}
	if name, ok := names[fs.Type]; ok {
		return name
	}
	return fmt.Sprintf("file system %#x", fs.Type)
}

func (s *suite) nodemailerVersion() string {
	var manifest struct{ Version string }
	b, err := os.ReadFile(filepath.Join(s.nodemailer, "node_modules", "nodemailer", "package.json"))
	if err == nil {
		err = json.Unmarshal(b, &manifest)
	}
	if err != nil {
		return "of unknown version"
	}
	return manifest.Version
}

// output is what a command says, in one line.
func output(ctx context.Context, program string, args ...string) string {
	out, err := exec.CommandContext(ctx, program, args...).Output()
	if err != nil {
		return "of unknown version"
	}
	return strings.TrimSpace(string(out))
}
