//go:build !linux

package bench

import (
	"context"
	"errors"
)

// suiteRole is for Linux: Postfix, and what the kernel says about processes.
func suiteRole(context.Context, []string) error {
	return errors.New("the suite runs on Linux only")
}
