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
	v := volume{
		freeBytes: st.Bavail * uint64(st.Bsize), freeNode: st.Ffree, nodes: st.Files,
		readOnly: st.Flags&unix.ST_RDONLY != 0,
	}
	switch uint32(st.Type) {
	case unix.NFS_SUPER_MAGIC:
		v.name, v.network = "NFS", true
	case unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		v.name, v.network = "SMB", true
	case unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC:
		v.name, v.network = "AFS", true
	case unix.CEPH_SUPER_MAGIC:
		v.name, v.network = "Ceph", true
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC:
		v.name, v.volatile = "in memory (tmpfs)", true
	}
	return v, nil
}

// clockState asks the kernel whether something such as chrony or timesyncd keeps the clock right.
func clockState() (synchronised, known bool) {
	state, err := unix.Adjtimex(new(unix.Timex))
	return state != unix.TIME_ERROR, err == nil
}
