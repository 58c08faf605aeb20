package ui

import (
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// A real terminal is known as one, with the width that it has now.
func TestNewStreamOnTerminal(t *testing.T) {
	t.Parallel()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudoterminals here: ", err)
	}
	defer master.Close()
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudoterminals here: ", err)
	}
	defer tty.Close()

	s := NewStream(tty)
	if !s.Terminal {
		t.Fatal("a terminal is not known as one")
	}
	for columns, want := range map[uint16]int{132: 132, 80: 80, 0: 80} {
		if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: columns}); err != nil {
			t.Fatal(err)
		}
		if got := s.columns(); got != want {
			t.Errorf("a terminal of %d columns has %d", columns, got)
		}
	}
}
