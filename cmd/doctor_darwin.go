package cmd

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// volumeOf looks at the file system that a directory is on.
func volumeOf(dir string) (volume, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return volume{}, fmt.Errorf("asking for the file system of %s: %w", dir, err)
	}
	return volume{
		name:      unix.ByteSliceToString(st.Fstypename[:]),
		network:   st.Flags&unix.MNT_LOCAL == 0,
		readOnly:  st.Flags&unix.MNT_RDONLY != 0,
		freeBytes: st.Bavail * uint64(st.Bsize), freeNode: st.Ffree, nodes: st.Files,
	}, nil
}

// clockState: the system does not tell.
func clockState() (synchronised, known bool) { return false, false }
