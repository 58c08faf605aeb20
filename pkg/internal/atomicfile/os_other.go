//go:build !unix

package atomicfile

import (
	"io/fs"
	"os"
)

// keepOwner has nothing to do where files have no numeric owner.
func keepOwner(string, fs.FileInfo) {}

// flush has nothing to do: a directory cannot be flushed here, and moves are journalled.
func flush(*os.File) error { return nil }
