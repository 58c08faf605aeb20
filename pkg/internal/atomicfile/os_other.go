//go:build !unix

package atomicfile

import (
	"io/fs"
	"os"
)

// keepOwner has nothing to do where files have no numeric owner.
func keepOwner(string, fs.FileInfo) {}

// sync has nothing to do: a directory cannot be flushed here, and moves are journalled.
func sync(*os.File) error { return nil }
